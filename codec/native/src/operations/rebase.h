// rebase: (state, raster, inter frame) -> inter frame'.
#pragma once

#include <memory>

#include "decide/effort.h"
#include "decide/frame_writer.h"

namespace vp8 {

struct RebaseOptions {
  RepeatEffort effort = kStandardRepeat;
};

// Codes frames, which were made for one chain of states, again for another.
//
// References, vectors, segments, quantizers and filter levels are taken over as
// they were found by the slow search; a macroblock may end up with a neighbour's
// vector or an intra mode where that is cheaper now. Residue and probabilities are
// made anew.
//
// The next frame needs the state after this one, but not its bytes: they are
// written while the next frame is worked on.
class Rebase {
 public:
  Rebase(const RebaseOptions& options, ThreadTeam& team);
  ~Rebase();

  // Rebases one frame and returns the state after it. Puts the bytes of the frame
  // before into `*bytes_of_previous`, which may be null for the first. Throws
  // CodecError: a frame that cannot be read, a key or empty frame
  // (kInvalidArgument), states or a raster of different sizes (kStateMismatch).
  SharedState frame(const SharedState& before, const SharedRaster& source,
                    const std::uint8_t* frame, std::size_t size, const Basis& made_for,
                    std::vector<std::uint8_t>* bytes_of_previous);
  // The bytes of the last frame.
  std::vector<std::uint8_t> finish();

 private:
  const RebaseOptions options_;
  ThreadTeam& team_;
  std::unique_ptr<FrameWriter> previous_;
};

}  // namespace vp8
