#!/bin/bash
# Makes a virtual environment that is as small as it can be and as fast to start as it was:
#
#   install.sh FOLDER REQUIREMENT...
#
# It runs in the stages of the Dockerfile that are thrown away. Another environment that lies in /torch is seen
# from the new one, so that what is there is not installed again.
set -euo pipefail
folder=$1
shift

python -m venv --without-pip "$folder"
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if [ -d /torch ]; then
    echo "/torch${packages#"$folder"}" > "$packages/torch.pth"
fi
pip --python "$folder/bin/python" install --quiet --no-compile --disable-pip-version-check \
    --constraint constraints/base.txt "$@"

cd "$packages"
rm -rf hooke # the package that stands for the code
# Wheels bring tests, and extension modules with symbols that nobody links with: a quarter of the whole ...
find . -path '*/tests/*' -type f \( ! -name '*.py' -o -name 'test_*.py' \) -delete
find . -name '*.so' \( -name '*.cpython-*' -o -name '*.abi3.*' \) -exec strip --strip-unneeded {} +
# ... and codecs of formats that Hooke does not read (docs/image-files.md): AVIF, JPEG XL, SZ3, pcodec.
rm -f imagecodecs/_{avif,jpegxl,sz3,pcodec}.* imagecodecs.libs/lib{aom,avif,jxl,jxl_cms,SZ3c,cpcodec}-*
rm -f PIL/_avif.* pillow.libs/libavif-*
# Nothing can be written beside the modules when the container runs, and their dates mean nothing. What colours
# the code of some hundred languages is loaded by nobody; what is for later Pythons does not compile, nor matter.
python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x 'pygments/(lexers|styles)/' . || true
