#include "operations/recode.h"

#include "bitstream/frame_reader.h"
#include "bitstream/macroblock_header.h"
#include "bitstream/serialize_frame.h"
#include "common/status.h"

namespace vp8 {
namespace {

// A writer for write_macroblock_header that keeps the decisions.
struct ModeKeeper {
  std::vector<ModeBit>& bits;

  void write(bool bit, const Probability& probability) { bits.push_back({&probability, bit}); }
};

void check(const State& before, const FrameReader& reader, const Basis& made_for) {
  if (reader.header().start.key_frame) {
    throw CodecError(Status::kInvalidArgument, "a key frame follows any state as it is");
  }
  bool same = before.width == made_for.width && before.height == made_for.height;
  for (std::size_t i = kLastFrame; same && i <= kAltrefFrame; ++i) {
    same = before.references[i]->has(made_for.references[i]);
  }
  const SegmentationHeader& segmentation = reader.header().segmentation;
  if (same && segmentation.enabled && !segmentation.update_map) {
    same = *before.segment_map == *made_for.segment_map;
  }
  if (!same) {
    throw CodecError(Status::kStateMismatch,
                     "recode needs a state that predicts as the one the frame was made for");
  }
}

// Seven bits of a vector's probability are sent, so odd ones are defaults that never come
// back once they are changed.
void check_vectors(const MvProbabilities& before, const MvProbabilities& wanted) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    for (std::size_t j = 0; j < before[i].size(); ++j) {
      if (before[i][j] == wanted[i][j] || wanted[i][j] == 1 || wanted[i][j] % 2 == 0) continue;
      throw CodecError(Status::kInvalidArgument,
                       "the frame needs a probability that no header can bring back");
    }
  }
}

ModeRows modes_of(FrameReader& reader) {
  const MacroblockGrid& macroblocks = reader.macroblocks();
  ModeRows modes(static_cast<std::size_t>(macroblocks.rows()));
  for (int row = 0; row < macroblocks.rows(); ++row) {
    ModeKeeper keeper{modes[static_cast<std::size_t>(row)]};
    for (int column = 0; column < macroblocks.columns(); ++column) {
      reader.read_modes(row, column);
      const MacroblockInfo& info = macroblocks.at(row, column);
      MvCandidates suggested{};
      if (info.is_inter()) {
        suggested =
            mv_candidates_at(macroblocks, row, column, info.reference, reader.context().sign_bias);
      }
      write_macroblock_header(keeper, reader.header(), reader.context(), macroblocks, row, column,
                              suggested);
    }
  }
  return modes;
}

}  // namespace

std::vector<std::uint8_t> recode(const State& before, FrameBytes frame, const Basis& made_for) {
  if (frame.empty()) {
    throw CodecError(Status::kInvalidArgument, "an empty frame follows any state as it is");
  }
  FrameReader reader(&made_for, frame.data(), frame.size());
  check(before, reader, made_for);
  check_vectors(before.context.entropy.motion_vectors, reader.context().entropy.motion_vectors);
  const ModeRows modes = modes_of(reader);
  FrameHeader header = reader.header();
  if (header.segmentation.enabled) {
    header.segmentation.update_data =
        !(before.context.segmentation == reader.context().segmentation);
  }
  const FrameStart& start = header.start;
  return serialize_frame(header, before.context, reader.context(), modes,
                         frame.subspan(start.size_bytes() + start.first_partition_size));
}

}  // namespace vp8
