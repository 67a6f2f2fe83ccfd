#!/bin/bash
# Copies to FOLDER what a Python process needs of this system, an image of Python on Debian: no shell, no package
# manager, no compiler, and nothing that starts with another user's rights.
#
#   root.sh FOLDER
set -euo pipefail
root=$1
stdlib=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')

mkdir -p "$root"/{etc,tmp,usr/lib,var/lib/dpkg}
chmod 1777 "$root/tmp"
cp -a /bin /lib /lib64 /sbin "$root" 2>/dev/null || true # links into /usr; not every architecture has all of them

rm -rf "$stdlib"/{config-*,ensurepip,idlelib,lib2to3,pydoc_data,test,tkinter,turtledemo}
rm -rf "$stdlib"/site-packages/*
cp -a --parents /usr/local/bin/python* /usr/local/lib/libpython*.so* "$stdlib" "$root"
find "$root/usr/local" -name '*.so*' -type f -exec strip --strip-unneeded {} +
find "$root/usr/local" -name __pycache__ -prune -exec rm -r {} +
python -m compileall -q -j 0 -s "$root" --invalidation-mode unchecked-hash "$root$stdlib"

# What the interpreter is linked with, and what wheels may expect on any Linux.
libraries=$(
    {
        ldd /usr/local/bin/python3 "$stdlib"/lib-dynload/*.so | awk '$1 ~ "^/lib" { print $1 }
            $3 ~ "^/(usr/)?lib" { print $3 }'
        dpkg -L libc6 libgcc-s1 libstdc++6 | grep -- '-linux-gnu/[^/]*\.so'
    } | sort --unique
)
for library in $libraries; do
    install -D "$library" "$root/usr${library#/usr}"
done

cp -a --parents /etc/{ld.so.conf,ld.so.conf.d,nsswitch.conf,os-release,ssl} /usr/lib/{os-release,ssl} \
    /usr/share/{ca-certificates,zoneinfo} "$root"
ldconfig -r "$root"
printf '%s:x:%s:%s::/tmp:/sbin/nologin\n' root 0 0 hooke 10001 10001 > "$root/etc/passwd"
printf '%s:x:%s:\n' root 0 hooke 10001 > "$root/etc/group"

# Scanners learn here which versions of Debian's packages these are.
packages=$(for library in $libraries; do dpkg -S "*/${library##*/}"; done | cut -d: -f1 | sort --unique)
# shellcheck disable=SC2086
dpkg-query --status $packages ca-certificates tzdata > "$root/var/lib/dpkg/status"
