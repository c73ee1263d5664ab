#include "pagevault/base/sim_env.h"

#include "env_conformance.h"

namespace pagevault {

namespace {

EnvUnderTest make_sim() {
  auto env = std::make_unique<SimEnv>();
  env->make_dirs("/scratch");
  return {.env = std::move(env), .scratch = "/scratch", .keeper = nullptr};
}

INSTANTIATE_TEST_SUITE_P(Sim, EnvConformance, ::testing::Values(EnvCase{"Sim", make_sim}),
                         env_case_name);

}  // namespace

}  // namespace pagevault
