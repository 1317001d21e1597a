"""`excamera compare`."""

from __future__ import annotations

import json

import click

from excamera.cli.help import OUTPUT, a_file, command, option
from excamera.media.compare import compare_files
from excamera.media.quality import FrameQuality, Quality, psnr_db, ssim_db, summarise
from excamera.places import check_input


@command(
    examples=[
        ("excamera compare film.mp4 film.webm", "PSNR and SSIM of a whole film."),
        ("excamera compare --json film.mp4 film.webm", "Of each frame, for programs."),
    ]
)
@click.argument("reference", shell_complete=a_file)
@click.argument("distorted", shell_complete=a_file)
@option("--json", "as_json", section=OUTPUT, is_flag=True, help="Print JSON, with every frame.")
@option("--frames", section=OUTPUT, is_flag=True, help="Print a line for every frame too.")
def compare(reference: str, distorted: str, as_json: bool, frames: bool) -> None:
    """PSNR and SSIM of DISTORTED against REFERENCE, frame by frame number.

    Each is a video, or numbered pictures as `excamera encode` takes them.

    SSIM is the mean over 8x8 windows that overlap by 4 pixels; in dB it is
    -10 log10(1 - SSIM). "all" weighs the planes by their sizes.
    """
    for path in (reference, distorted):
        check_input(path, takes_sequences=True)
    found = []
    for number, quality in enumerate(compare_files(reference, distorted)):
        found.append(quality)
        if frames and not as_json:
            click.echo(f"frame {number:5d}  {_frame_line(quality)}")
    means = summarise(found)
    if as_json:
        click.echo(json.dumps(_report(means, found)))
        return
    click.echo(f"{len(found)} frames")
    click.echo("plane   PSNR dB    SSIM dB       SSIM")
    for plane, mean in means.items():
        click.echo(f"{plane:5} {mean.psnr_db:9.4f}  {ssim_db(mean.ssim):9.4f}   {mean.ssim:.6f}")


def _frame_line(quality: FrameQuality) -> str:
    planes = [
        f"{name} {psnr_db(error):8.4f} dB {ssim:.6f}"
        for name, error, ssim in zip("yuv", quality.mse, quality.ssim, strict=True)
    ]
    overall = f"all {psnr_db(quality.overall_mse):8.4f} dB {quality.overall_ssim:.6f}"
    return "  ".join([*planes, overall])


def _report(means: dict[str, Quality], frames: list[FrameQuality]) -> dict[str, object]:
    each = []
    for frame in frames:
        planes = {
            name: Quality(psnr_db(error), ssim).to_json()
            for name, error, ssim in zip("yuv", frame.mse, frame.ssim, strict=True)
        }
        overall = Quality(psnr_db(frame.overall_mse), frame.overall_ssim).to_json()
        each.append({**planes, "all": overall})
    return {
        "frame_count": len(frames),
        "ssim_window": "8x8, overlapping by 4",
        "mean": {plane: mean.to_json() for plane, mean in means.items()},
        "frames": each,
    }
