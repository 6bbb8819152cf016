# SPDX-License-Identifier: MIT
mkdir -p tmp/files/sub
echo one >tmp/files/one; echo more >>tmp/files/one; cat tmp/files/one
mv tmp/files/one tmp/files/sub/two && cat tmp/files/sub/two
cp -r tmp/files/sub tmp/files/copy && cat tmp/files/copy/two
ln -s sub/two tmp/files/link && cat tmp/files/link && readlink tmp/files/link
ls tmp/files
rm tmp/files/nothing; echo "status $?"
rmdir tmp/files/sub; echo "status $?"
cat tmp/files; echo "status $?"
echo x >tmp/files; echo "status $?"
: >tmp/files/sub/two; wc -c <tmp/files/sub/two
truncate -s 10000 tmp/files/copy/two; wc -c <tmp/files/copy/two; md5sum <tmp/files/copy/two
test -d tmp/files && test -f tmp/files/sub/two && test -L tmp/files/link && echo all there
chmod 600 tmp/files/sub/two && stat -c '%a %s %F' tmp/files/sub/two
touch tmp/files/empty && stat -c '%s %F' tmp/files/empty
(cd tmp/files/sub && ls .. && cd .. && basename "$(pwd)")
rm -rf tmp/files; ls tmp/files 2>/dev/null; echo "gone $?"
