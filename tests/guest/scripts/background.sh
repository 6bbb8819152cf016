# SPDX-License-Identifier: MIT
for i in 1 2 3 4 5 6 7 8; do
    (seq 1 $((i * 500)) | md5sum >tmp/background.$i) &
done
wait
cat tmp/background.*
sleep 0.1 &
first=$!
(exit 7) &
second=$!
wait $first; echo "first $?"
wait $second; echo "second $?"
sleep 100 &
{ kill $!; wait $!; } 2>/dev/null
echo "killed $?"
trap 'echo trapped' USR1
kill -USR1 $$
trap 'echo at the end' EXIT
