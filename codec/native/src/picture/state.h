// Everything a decoder carries from one frame to the next, as a value.
#pragma once

#include <memory>
#include <vector>

#include "bitstream/reading_state.h"
#include "common/types.h"
#include "picture/raster.h"

namespace vp8 {

// Immutable once made: shared as shared_ptr<const State>.
struct State : ReadingState {
  std::array<SharedRaster, kReferenceFrames> references;  // [kIntraFrame] is unused

  bool operator==(const State& other) const;
};

using SharedState = std::shared_ptr<const State>;

// The part of a state that rebase needs to read a frame made for it, and to see whether
// another state predicts the same. A state at 4K holds up to 40 MB, its basis 40 kB.
struct Basis : ReadingState {
  std::array<Fingerprint, kReferenceFrames> references{};  // [kIntraFrame] is unused
};

Basis basis_of(const State& state);

// Whether every prediction from the state is the same as from the basis's own.
bool predicts_as(const State& state, const Basis& basis);

// The state as bytes, the same on every machine. Equal references are stored
// once. Layout: little-endian fields in the order of serialize_state.
std::vector<std::uint8_t> serialize_state(const State& state);

// Throws CodecError(kInvalidState) for bytes that serialize_state cannot have written.
SharedState deserialize_state(const std::uint8_t* data, std::size_t size);

}  // namespace vp8
