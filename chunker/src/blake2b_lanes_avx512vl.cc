#include "blake2b_lanes.h"

namespace pagevault::chunker {
namespace {
constexpr size_t kLanes = 4;
}  // namespace
}  // namespace pagevault::chunker

#include "blake2b_lanes_body.h"

namespace pagevault::chunker {

const Blake2bKernel kBlake2bAvx512Vl = {"avx512vl", kLanes, absorb};

}  // namespace pagevault::chunker
