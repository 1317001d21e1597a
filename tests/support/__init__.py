"""What tests share: pictures, streams made with libvpx, and the standard vectors."""
