# SPDX-License-Identifier: MIT
tr -cs A-Za-z '\n' <texts/GPL-3 | tr A-Z a-z | sort | uniq -c | sort -rn | head -n 20
