#include "blake2b_lanes.h"

namespace pagevault::chunker {
namespace {
constexpr size_t kLanes = 4;
}  // namespace
}  // namespace pagevault::chunker

#include "blake2b_lanes_body.h"

namespace pagevault::chunker {

const Blake2bKernel kBlake2bAvx2 = {"avx2", kLanes, absorb};

}  // namespace pagevault::chunker
