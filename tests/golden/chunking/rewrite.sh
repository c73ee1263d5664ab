#!/bin/sh
# Rewrites v1/*.txt from the program. Only for a kind that no repository uses yet.
#   tests/golden/chunking/rewrite.sh BUILD_DIR
set -eu
PAGEVAULT_GOLDEN_REWRITE=1 "${1:?usage: rewrite.sh BUILD_DIR}/tests/chunker_test" --gtest_filter='ChunkingGolden.*'
