"""Errors of the pipeline.

    ExCameraError
    ├── TransientError            trying again may help
    │   ├── SourceUnavailable     reading the source failed half-way (I/O, not content)
    │   └── CloudUnavailable      AWS, the stack's API or the network does not answer
    └── PermanentError            trying again has the same outcome
        ├── OptionError           an option is out of range (also a ValueError)
        ├── InputError
        │   ├── NoSuchInput
        │   ├── InputIsDirectory
        │   ├── InputNotReadable  may not be read
        │   ├── SeveralSequences  it is not clear which numbered pictures belong together
        │   ├── SequenceRefused   numbered pictures, where only one file can be read
        │   ├── MixedPictures     numbered pictures that differ in size
        │   ├── UnreadablePicture one of numbered pictures cannot be decoded
        │   ├── NotAVideo         nothing here can be read as media
        │   ├── NoVideoStream     media, but only sound or data
        │   ├── EncryptedSource   its picture is encrypted
        │   ├── UnknownCodec      the video stream's codec has no decoder here
        │   ├── NoFrames          a video stream without a single frame
        │   ├── TruncatedSource   ends early; says how many frames could be read
        │   ├── SlowSource        has no index, and decoding it for one takes longer than a call may
        │   ├── DamagedSource     has damage, and the user wants none (`strict`)
        │   ├── UnsupportedSize   pictures too large, or of another size than the codec holds
        │   ├── UnreadableFrame   a planned frame cannot be decoded
        │   ├── SourceChanged     was replaced while the job was running
        │   └── SourceMismatch    a worker did not find exactly the planned frames
        ├── OutputError
        │   ├── NoOutputFolder
        │   ├── OutputExists
        │   ├── OutputIsDirectory
        │   ├── OutputIsInput
        │   ├── OutputNotWritable
        │   ├── OutputLinkBroken  a symbolic link that leads to nothing, or in a circle
        │   ├── OutputNewer       was made from a later upload of the same source
        │   └── UnknownOutputFormat
        ├── DiskFull              a folder takes no more data; says which one
        ├── JobInUse              another encode keeps its job in the same directory
        ├── ContainerError        an IVF or WebM file is malformed
        ├── SizeChange            a stream changes its size, but only one can be stored
        ├── WorkerCrashed         a worker's process ended in the middle of a task
        ├── ChunkError            the chunk encoder did not make a chunk
        ├── SeamMismatch          a batch does not decode to the predicted states
        ├── PlanMismatch          pieces in the store do not add up to the plan
        ├── ConfigMismatch        chunks of a result have different headers of their codec
        ├── SpendingError         more than the stack's owner wants to pay
        │   ├── JobTooExpensive
        │   └── MonthTooExpensive
        ├── GoalError             what a user wants of a job cannot be
        │   ├── BudgetTooSmall    its cheapest way costs more
        │   └── TimeTooShort      its fastest way takes longer
        ├── CompareError
        │   ├── FrameCountDiffers
        │   └── FrameSizeDiffers
        └── CloudError            about a deployed stack
            ├── NoCredentials
            ├── NoRegion
            ├── WrongConfiguration  region or endpoint make no address of AWS
            ├── NotAllowed        the credentials lack a right
            ├── NoSuchStack
            ├── StackTooOld       lacks something that this version needs
            ├── NoSuchJob
            ├── ApiRefused        the API refused a request
            ├── UploadFailed
            ├── ResultDamaged     the download is not the file that the job made
            ├── NoResult          the job has none, or no longer has one
            ├── NoReport          a job's report could not be made
            ├── JobEndedBadly     failed, was stopped, or took too long
            ├── NoProject         there is no stack to deploy here, or what it needs
            ├── DeploymentFailed
            └── StackUnwell       the doctor found a problem

Retry rules name the transient classes. Only the command line turns errors into messages. Its exit
code is the class's `exit_code`; docs/cli.md has the table.
"""

from __future__ import annotations

from typing import ClassVar


class ExCameraError(Exception):
    """Root of the pipeline's errors.

    Attributes:
        exit_code: of a command that ends with it.
    """

    exit_code: ClassVar[int] = 2


class TransientError(ExCameraError):
    """Trying again may help."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class SourceUnavailable(TransientError):
    """Reading the source failed for a reason other than its content."""


class CloudUnavailable(TransientError):
    """AWS, the stack's API or the network does not answer."""


class PermanentError(ExCameraError):
    """Trying again has the same outcome."""


class OptionError(PermanentError, ValueError):
    """An option is out of range."""


class InputError(PermanentError):
    """The source cannot be encoded."""


class NoSuchInput(InputError):
    """The source does not exist."""


class InputIsDirectory(InputError):
    """The source is a directory."""


class InputNotReadable(InputError):
    """The source may not be read."""


class SeveralSequences(InputError):
    """It is not clear which numbered pictures belong together."""


class SequenceRefused(InputError):
    """Numbered pictures cannot be read here."""


class MixedPictures(InputError):
    """Numbered pictures differ in size."""


class UnreadablePicture(InputError):
    """One of numbered pictures cannot be decoded."""


class NotAVideo(InputError):
    """The source cannot be read as media."""


class NoVideoStream(InputError):
    """The source has no video stream."""


class EncryptedSource(InputError):
    """The source's picture is encrypted."""


class UnknownCodec(InputError):
    """There is no decoder for the source's video stream."""


class NoFrames(InputError):
    """The source's video stream has no frames."""


class TruncatedSource(InputError):
    """The source ends early."""


class SlowSource(InputError):
    """The source has no index, and decoding it for one would take longer than a call may."""


class DamagedSource(InputError):
    """The source has damage, and the user has asked for none."""


class UnsupportedSize(InputError):
    """The codec of the result cannot hold pictures of this size."""


class UnreadableFrame(InputError):
    """A frame of the source cannot be decoded."""


class SourceChanged(InputError):
    """The source was replaced after the job began."""


class SourceMismatch(InputError):
    """The source does not have exactly the planned frames."""


class OutputError(PermanentError):
    """The result cannot be written where it should go."""


class NoOutputFolder(OutputError):
    """The folder of the output does not exist."""


class OutputExists(OutputError):
    """The output exists and may not be overwritten."""


class OutputIsDirectory(OutputError):
    """The output names a directory."""


class OutputIsInput(OutputError):
    """The output is the source itself."""


class OutputNotWritable(OutputError):
    """The output cannot be created."""


class OutputLinkBroken(OutputError):
    """The output is a symbolic link that leads to nothing, or in a circle."""


class OutputNewer(OutputError):
    """The output was made from a later upload of the same source."""


class UnknownOutputFormat(OutputError):
    """The output's extension names no format this program writes."""


class DiskFull(PermanentError):
    """A folder takes no more data."""


class JobInUse(PermanentError):
    """Another encode keeps its job in the same directory."""


class ContainerError(PermanentError):
    """An IVF or WebM file is malformed."""


class SizeChange(PermanentError):
    """The picture size changes where only one size can be stored."""


class WorkerCrashed(PermanentError):
    """A worker's process ended in the middle of a task, each time it was tried."""


class ChunkError(PermanentError):
    """The chunk encoder's output is not one key frame and its inter frames."""


class SeamMismatch(PermanentError):
    """A batch does not decode to what was predicted."""


class PlanMismatch(PermanentError):
    """The pieces in the store do not add up to the plan."""


class ConfigMismatch(PermanentError):
    """The chunks of a result do not have the same headers of their codec."""


class SpendingError(PermanentError):
    """A job would cost more than the stack's owner wants to pay."""


class JobTooExpensive(SpendingError):
    """The job alone would cost too much."""


class MonthTooExpensive(SpendingError):
    """With this job, the month would cost too much."""


class GoalError(PermanentError):
    """A job cannot be what its user wants."""


class BudgetTooSmall(GoalError):
    """The cheapest way to do a job costs more than its budget."""


class TimeTooShort(GoalError):
    """The fastest way to do a job takes longer than it may."""


class CompareError(PermanentError):
    """Two videos cannot be compared."""


class FrameCountDiffers(CompareError):
    """The two videos have different numbers of frames."""


class FrameSizeDiffers(CompareError):
    """The two videos have different picture sizes."""


class CloudError(PermanentError):
    """An error of using a deployed stack."""


class NoCredentials(CloudError):
    """There are no AWS credentials."""


class NoRegion(CloudError):
    """No AWS region is configured."""


class WrongConfiguration(CloudError):
    """Region or endpoint, as they are configured, make no address of AWS."""


class NotAllowed(CloudError):
    """The credentials lack a right."""


class NoSuchStack(CloudError):
    """There is no stack of that name."""


class StackTooOld(CloudError):
    """The stack lacks something that this version needs."""


class NoSuchJob(CloudError):
    """The stack has no such job."""


class ApiRefused(CloudError):
    """The API refused a request."""


class UploadFailed(CloudError):
    """The source could not be uploaded."""


class ResultDamaged(CloudError):
    """The download is not the file that the job made."""


class NoResult(CloudError):
    """The job has no result, or no longer has one."""


class NoReport(CloudError):
    """The report of a job could not be made."""


class JobEndedBadly(CloudError):
    """The job failed, was stopped, or took too long."""


class NoProject(CloudError):
    """There is no stack to deploy here, or a package that deploying needs is not installed."""


class DeploymentFailed(CloudError):
    """The stack could not be deployed or destroyed."""


class StackUnwell(CloudError):
    """The doctor found a problem."""
