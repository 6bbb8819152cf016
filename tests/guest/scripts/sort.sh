# SPDX-License-Identifier: MIT
sort texts/GPL-2 | md5sum
sort -r texts/GPL-2 | head -n 5
sort -u texts/Artistic | wc -l
seq 1 3000 | sort -rn | head -n 3
seq 1 2000 | sort | tail -n 3
sort -k 2 texts/BSD | md5sum
tr ' ' '\n' <texts/GPL-3 | sort | uniq -d | md5sum
