# SPDX-License-Identifier: MIT
i=0
sum=0
while [ $i -lt 200 ]; do
    (exit $((i % 50)))
    sum=$((sum + $?))
    i=$((i + 1))
done
echo "200 forks, sum $sum"
i=0
while [ $i -lt 60 ]; do
    busybox true && i=$((i + 1))
done
echo "$i executions"
