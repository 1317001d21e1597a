// A chunk: consecutive frames that one call works on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/status.h"

namespace vp8 {

using FrameBytes = std::span<const std::uint8_t>;

// An error that names its frame.
class FrameError : public CodecError {
 public:
  FrameError(const CodecError& error, std::size_t index, std::size_t count)
      : CodecError(error.status(), "frame " + std::to_string(index + 1) + " of " +
                                       std::to_string(count) + ": " + error.what()) {}
};

// Runs work() for frame `index` of `count`. An error of it names the frame, unless the
// frame is alone or work() found an error of another frame, which has its name already.
template <typename Work>
auto for_frame(std::size_t index, std::size_t count, Work&& work) {
  try {
    return work();
  } catch (const FrameError&) {
    throw;
  } catch (const CodecError& error) {
    if (count == 1) throw;
    throw FrameError(error, index, count);
  }
}

}  // namespace vp8
