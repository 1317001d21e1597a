// encode-given-state: (state, raster, quantizer) -> frame; also key frames.
#pragma once

#include <optional>

#include "decide/effort.h"
#include "decide/frame_writer.h"

namespace vp8 {

// Kinds of macroblocks with quantizers and filter levels of their own (RFC 6386, 9.3).
struct SegmentSettings {
  std::array<int, kMaxSegments> quantizer_deltas{};  // added to y_ac_qi
  std::array<int, kMaxSegments> filter_deltas{};     // added to the filter level
  // The segment of each macroblock; null keeps the state's. Some decoders forget a map at a
  // frame without segments and at a key frame: docs/spec-notes.md.
  std::shared_ptr<const SegmentMap> map;
};

struct EncodeSettings {
  int y_ac_qi = 0;
  bool show = true;
  // Whether the next frame starts from this frame's probabilities; if not, from those
  // before it.
  bool refresh_entropy = true;
  // What an inter frame does to the references.
  bool refresh_last = true;
  bool refresh_golden = false;
  bool refresh_altref = false;
  BufferCopy copy_to_golden = BufferCopy::kNone;
  BufferCopy copy_to_altref = BufferCopy::kNone;
  // Whether vectors into golden and altref point the other way than those into last; the
  // state's biases if absent. Inter frames only.
  std::optional<bool> golden_sign_bias;
  std::optional<bool> altref_sign_bias;
  std::optional<SegmentSettings> segments;
  // 0 to 63, or -1 to search for the best.
  int filter_level = -1;
  // A row of kEfforts.
  int effort = kDefaultEffort;
};

// Throws CodecError(kInvalidArgument) for settings out of range.
EncodedFrame encode_key_frame(const SharedRaster& source, const EncodeSettings& settings,
                              ThreadTeam& team);

// Throws also CodecError(kStateMismatch) if the raster has another size than the state.
EncodedFrame encode_inter_frame(const SharedState& before, const SharedRaster& source,
                                const EncodeSettings& settings, ThreadTeam& team);

}  // namespace vp8
