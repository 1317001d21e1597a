"""ExCamera: one video, many small encoders, one VP8 stream with few key frames."""
