#include "picture/quantization.h"

#include <algorithm>

#include "common/tables.h"

namespace vp8 {
namespace {

int dc_step(int index) { return kDcQuantizerLookup[clamp_int(index, 0, kMaxQuantizerIndex)]; }
int ac_step(int index) { return kAcQuantizerLookup[clamp_int(index, 0, kMaxQuantizerIndex)]; }

}  // namespace

QuantizerSteps quantizer_steps(int y_ac_qi, const QuantizerIndices& indices) {
  const int base = clamp_int(y_ac_qi, 0, kMaxQuantizerIndex);
  QuantizerSteps steps;
  steps.y[0] = dc_step(base + indices.y_dc_delta);
  steps.y[1] = ac_step(base);
  steps.y2[0] = dc_step(base + indices.y2_dc_delta) * 2;
  steps.y2[1] = std::max(ac_step(base + indices.y2_ac_delta) * 155 / 100, 8);
  steps.uv[0] = std::min(dc_step(base + indices.uv_dc_delta), 132);
  steps.uv[1] = ac_step(base + indices.uv_ac_delta);
  return steps;
}

Quantizer make_quantizer(const int* steps, const int* rounding) {
  Quantizer quantizer;
  for (int i = 0; i < 2; ++i) {
    quantizer.step[i] = static_cast<std::uint16_t>(steps[i]);
    quantizer.rounding[i] = static_cast<std::uint16_t>(rounding[i]);
    quantizer.reciprocal[i] =
        static_cast<std::uint16_t>(std::min(65535, (65536 + steps[i] - 1) / steps[i]));
  }
  return quantizer;
}

}  // namespace vp8
