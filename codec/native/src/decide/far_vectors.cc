#include "decide/far_vectors.h"

#include <atomic>

#include "decide/sketch.h"

namespace vp8 {
FarVectors::FarVectors(const State& before, const Raster& source, ThreadTeam& team)
    : shift_(Sketch::halvings_for(source) - 1) {
  const int halvings = shift_ + 1;
  const Sketch sketch(source, halvings);
  columns_ = sketch.columns();
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) {
    for (std::size_t j = kLastFrame; j < i; ++j) {
      if (before.references[j] == before.references[i]) fields_[i] = fields_[j];
    }
    if (fields_[i]) continue;
    fields_[i] =
        std::make_shared<Field>(static_cast<std::size_t>(sketch.columns() * sketch.rows()));
  }
  std::atomic<std::size_t> next = kLastFrame;
  team.run([&] {
    for (std::size_t i = next++; i <= kAltrefFrame; i = next++) {
      if (i > kLastFrame && fields_[i] == fields_[kLastFrame]) continue;
      if (i > kGoldenFrame && fields_[i] == fields_[kGoldenFrame]) continue;
      find_whole_motion(Sketch(*before.references[i], halvings), sketch, fields_[i]->data());
      for (MotionVector& mv : *fields_[i]) {
        mv.row = static_cast<std::int16_t>(mv.row * (1 << halvings));
        mv.col = static_cast<std::int16_t>(mv.col * (1 << halvings));
      }
    }
  });
}

}  // namespace vp8
