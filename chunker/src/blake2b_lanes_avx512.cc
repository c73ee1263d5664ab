#include "blake2b_lanes.h"

namespace pagevault::chunker {
namespace {
constexpr size_t kLanes = 8;
}  // namespace
}  // namespace pagevault::chunker

#include "blake2b_lanes_body.h"

namespace pagevault::chunker {

const Blake2bKernel kBlake2bAvx512 = {"avx512", kLanes, absorb};

}  // namespace pagevault::chunker
