#include "decode.h"

#include "frame_reader.h"
#include "reconstruct.h"
#include "state_update.h"
#include "status.h"

namespace vp8 {

DecodedFrame decode_frame(const SharedState& before, const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    if (!before)
      throw CodecError(Status::kInvalidBitstream, "a stream cannot begin with an empty frame");
    return {before, before->references[kLastFrame]};
  }
  FrameReader reader(before.get(), data, size);
  const FrameHeader& header = reader.header();
  const int width = header.start.key_frame ? header.start.width : before->width;
  const int height = header.start.key_frame ? header.start.height : before->height;

  const ReconstructionContext context(before.get(), header, reader.context());
  const std::shared_ptr<Raster> raster = begin_raster(width, height);
  MacroblockCoefficients coefficients;
  const MacroblockGrid& macroblocks = reader.macroblocks();
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      reader.read_macroblock(row, column, coefficients);
      reconstruct_macroblock(context, macroblocks.at(row, column), coefficients, row, column,
                             *raster);
    }
  }
  finish_raster(*raster, macroblocks, loop_filter_settings(header, reader.context()));
  return {next_state(before.get(), header, reader.context(), raster, reader.segment_map()), raster};
}

}  // namespace vp8
