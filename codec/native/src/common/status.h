// Outcomes of an operation and the one exception that carries them.
//
// Inside the library a failure is a CodecError. c_api.cc turns it into an integer status
// and a message, so no exception crosses the C boundary.
#pragma once

#include <stdexcept>
#include <string>

namespace vp8 {

enum class Status : int {
  kOk = 0,
  kTruncatedBitstream = 1,    // the data ends before the frame does
  kInvalidBitstream = 2,      // the data contradicts RFC 6386
  kUnsupportedBitstream = 3,  // valid, but no VP8 decoder plays it
  kStateMismatch = 4,         // the state cannot precede this frame
  kInvalidState = 5,          // a serialised state that cannot be one
  kInvalidArgument = 6,       // the caller's own argument
  kOutOfMemory = 7,
  kInternal = 8,
};

class CodecError : public std::runtime_error {
 public:
  CodecError(Status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace vp8
