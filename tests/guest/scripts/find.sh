# SPDX-License-Identifier: MIT
mkdir -p tmp/find/a/b/c tmp/find/d
for i in 1 2 3 4 5; do echo $i >tmp/find/a/file$i; seq 1 $((i * 1000)) >tmp/find/d/big$i; done
find tmp/find | sort
find tmp/find -type f -name 'file*' | sort
find tmp/find -type f -size +8k | sort
find tmp/find -type f -exec cat {} \; | md5sum | wc -c
find tmp/find -type d -empty
find tmp/find -type f | sort | xargs wc -c | tail -n 1
find tmp/find -name 'big*' -exec rm {} \;
ls tmp/find/d | wc -l
rm -r tmp/find
