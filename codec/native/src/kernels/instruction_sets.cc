#include "kernels/instruction_sets.h"

namespace vp8 {

std::vector<SimdLevel> detected_levels() { return {SimdLevel::kReference}; }

void install_instruction_sets(Kernels&, SimdLevel) {}

}  // namespace vp8
