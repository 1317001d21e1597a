// encode-given-state: (state, raster, quantizer) -> frame; also key frames.
#pragma once

#include "decide/effort.h"
#include "decide/frame_writer.h"

namespace vp8 {

struct EncodeSettings {
  int y_ac_qi = 0;
  // What an inter frame does to golden and altref.
  bool refresh_golden = false;
  bool refresh_altref = false;
  BufferCopy copy_to_golden = BufferCopy::kNone;
  BufferCopy copy_to_altref = BufferCopy::kNone;
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
