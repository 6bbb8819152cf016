# SPDX-License-Identifier: MIT
mkdir -p tmp/tar/deep/deeper
cp texts/GPL-3 tmp/tar/one
cp texts/BSD tmp/tar/deep/two
seq 1 1000 >tmp/tar/deep/deeper/three
ln -s one tmp/tar/link
(cd tmp && tar -cf tar.tar tar)
tar -tf tmp/tar.tar | sort
mkdir -p tmp/untar
tar -xf tmp/tar.tar -C tmp/untar
(cd tmp/untar/tar && find . -type f | sort | xargs md5sum)
readlink tmp/untar/tar/link
tar -cf - -C tmp tar | gzip | tar -xzf - -O tar/deep/two | cmp - texts/BSD && echo the same
rm -r tmp/tar tmp/untar && ls tmp/tar 2>/dev/null; echo "gone $?"
