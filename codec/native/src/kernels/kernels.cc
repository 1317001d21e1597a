#include "kernels/kernels.h"

#include <cstdlib>
#include <string>

#include "common/status.h"
#include "kernels/instruction_sets.h"

namespace vp8 {
namespace {

Kernels filled_up_to(SimdLevel level) {
  Kernels table{};
  install_reference_interpolation(table);
  install_reference_transforms(table);
  install_reference_distortion(table);
  install_reference_weighting(table);
  install_reference_intra(table);
  install_reference_loop_filters(table);
  install_instruction_sets(table, level);
  return table;
}

SimdLevel chosen_level() {
  const std::vector<SimdLevel>& available = available_levels();
  const char* asked_for = std::getenv("EXCAMERA_CODEC_SIMD");
  if (asked_for == nullptr || *asked_for == '\0') return available.back();
  std::string names;
  for (const SimdLevel level : available) {
    if (asked_for == std::string(simd_level_name(level))) return level;
    names += (names.empty() ? "" : ", ") + std::string(simd_level_name(level));
  }
  throw CodecError(Status::kInvalidArgument,
                   "EXCAMERA_CODEC_SIMD is one of " + names + " on this machine, not " + asked_for);
}

}  // namespace

const char* simd_level_name(SimdLevel level) {
  switch (level) {
    case SimdLevel::kSse2:
      return "sse2";
    case SimdLevel::kAvx2:
      return "avx2";
    case SimdLevel::kNeon:
      return "neon";
    default:
      return "reference";
  }
}

const std::vector<SimdLevel>& available_levels() {
  static const std::vector<SimdLevel> levels = detected_levels();
  return levels;
}

const Kernels& kernels_at(SimdLevel level) {
  static const std::vector<Kernels> tables = [] {
    std::vector<Kernels> filled;
    for (const SimdLevel each : available_levels()) filled.push_back(filled_up_to(each));
    return filled;
  }();
  const std::vector<SimdLevel>& levels = available_levels();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] == level) return tables[i];
  }
  throw CodecError(Status::kInvalidArgument,
                   std::string("this machine has no kernels for ") + simd_level_name(level));
}

SimdLevel simd_level() {
  static const SimdLevel level = chosen_level();
  return level;
}

std::atomic<const Kernels*> detail::kernels_in_use{nullptr};

const Kernels& detail::choose_kernels() {
  const Kernels& table = kernels_at(simd_level());
  // Another thread that chooses at the same time chooses the same table, which was filled
  // before, behind a lock.
  kernels_in_use.store(&table, std::memory_order_release);
  return table;
}

}  // namespace vp8
