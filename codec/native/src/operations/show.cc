#include "operations/show.h"

#include <string>

#include "bitstream/macroblock_header.h"
#include "common/status.h"

namespace vp8 {

EncodedFrame show_reference(const SharedState& before, int reference, ThreadTeam& team) {
  if (reference < kLastFrame || reference > kAltrefFrame) {
    throw CodecError(Status::kInvalidArgument,
                     "a reference is 1, 2 or 3, not " + std::to_string(reference));
  }
  FrameHeader header;
  header.quantizer.y_ac_qi = kMaxQuantizerIndex;
  header.refresh_golden = header.refresh_altref = false;
  header.refresh_entropy = false;
  header.mb_no_skip_coeff = true;
  const SharedRaster& raster = before->references[static_cast<std::size_t>(reference)];
  FrameWriter writer(before.get(), *raster, header, before->context, before->segment_map,
                     kNoFilterSearch, team);
  MacroblockInfo info;
  info.reference = static_cast<ReferenceFrame>(reference);
  info.y_mode = ZEROMV;
  info.mvs.fill({});
  MacroblockCoefficients nothing;
  nothing.clear_tokens(info.has_y2());
  for (int row = 0; row < writer.macroblocks().rows(); ++row) {
    RowWriter row_writer(writer, row);
    for (int column = 0; column < writer.macroblocks().columns(); ++column) {
      info.segment = static_cast<std::uint8_t>(writer.segment_at(row, column));
      const MvCandidates suggested = mv_candidates_at(writer.macroblocks(), row, column,
                                                      info.reference, writer.context().sign_bias);
      row_writer.commit(column, info, suggested, nothing, false);
    }
  }
  SharedState after = writer.finish(team);
  return {writer.serialize(), std::move(after)};
}

}  // namespace vp8
