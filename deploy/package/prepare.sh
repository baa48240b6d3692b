#!/bin/sh
# Makes what packages hold and the repository does not: compressed manual pages and changelog, in .package. The same input gives
# the same bytes.
set -eu
cd "$(dirname "$0")/../.."
rm -rf .package/man1 .package/man5
mkdir -p .package/man1 .package/man5
for page in docs/man/*.1; do gzip -9n < "$page" > ".package/man1/$(basename "$page").gz"; done
for page in docs/man/*.5; do gzip -9n < "$page" > ".package/man5/$(basename "$page").gz"; done
gzip -9n < CHANGELOG.md > .package/changelog.gz
