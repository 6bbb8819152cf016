# SPDX-License-Identifier: MIT
grep -c the texts/GPL-3
grep -n 'warranty' texts/GPL-2 | head -n 5
grep -i -o 'free software' texts/GPL-3 | sort | uniq -c
grep -r -l 'Apache' texts/ | sort
grep -v e texts/GPL-3 | sort -u | head -n 5
grep -E '^ *[0-9]+\. ' texts/GPL-3
grep nothing-like-that texts/GPL-3; echo "status $?"
