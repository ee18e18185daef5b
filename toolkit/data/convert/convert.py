"""``toolkit data convert``: converts chunks of pictures in worker processes; resumable, and in shards if wanted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from toolkit.data.convert.base_format import DatasetItem, DatasetListing, ManifestRow, Skipped, not_this_set
from toolkit.data.convert.draw_labels import SHEET
from toolkit.data.convert.parallel.chunks import ChunkPlan, ChunkResult, chunk_key, load_result
from toolkit.data.convert.parallel.job import ConvertJob, ConvertOutcome
from toolkit.data.convert.parallel.merge import (
    FAULTS,
    MANIFEST,
    RECORD,
    count_outcome,
    find_finished,
    is_conversion,
    write_manifest,
)
from toolkit.data.convert.parallel.workers import (
    WorkerStopped,
    check_not_stopped,
    obey_first_process,
    start_tracker,
    starting_workers,
)
from toolkit.data.convert.readers.read_once import fresh_files
from toolkit.data.convert.registry import DatasetFormat, code_digest, get_format
from toolkit.data.convert.shared.workspace import COMMAND, Workspace
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError, UserErrors
from toolkit.utils.files import locked, make_folder
from toolkit.utils.json import dump_json, to_json
from toolkit.utils.overwrite import check_overwrite
from toolkit.utils.progress import Bar, bar
from toolkit.utils.system_errors import OutputError

CHUNK = 32
"""The number of pictures that are converted, stored and resumed together; independent of workers and shards."""

_Chunk = tuple[str, Sequence[DatasetItem]]


def convert(job: ConvertJob) -> ConvertOutcome:
    """Convert a data set, or one shard of it; what was done before is not done again.

    Raises:
        UserError: If SOURCE is not the data set, or DEST cannot be written.
        UserErrors: If parts of the data set are missing or damaged, and ``skip_bad`` is not set. Everything else is
            converted and kept then, and no manifest is written.
    """
    with fresh_files():
        return _convert(replace(job, source=job.source.absolute(), dest=job.dest.absolute()))


def _convert(job: ConvertJob) -> ConvertOutcome:
    plan, chunks = _make_plan(job)
    done = find_finished(job.dest, plan)
    if done is not None:
        return done
    own = is_conversion(job.dest)
    written = [job.dest / name for name in (MANIFEST, RECORD, FAULTS, SHEET)]
    check_overwrite(written, COMMAND, job.force, own=own)
    workspace = Workspace(job.source, job.dest, job.options, free_to_write=own or job.force)
    make_folder(job.dest)
    if job.shard is not None:
        return _convert_shard(job, workspace, job.shard, plan, chunks)
    with locked(job.dest):
        plan.save(job.dest)
        _convert_missing(job, workspace, chunks)
        return write_manifest(job.dest, plan, job.skip_bad)


def _convert_shard(
    job: ConvertJob, workspace: Workspace, shard: tuple[int, int], plan: ChunkPlan, chunks: Sequence[_Chunk]
) -> ConvertOutcome:
    mine = chunks[shard[0] - 1 :: shard[1]]
    plan.save(job.dest)
    _convert_missing(job, workspace, mine)
    outcome = count_outcome(job.dest, [key for key, _ in mine])
    if outcome.faults and not job.skip_bad:
        raise UserErrors(
            f"{job.dest}, shard {shard[0]}/{shard[1]}: {outcome.pictures} pictures are converted and kept; mend the "
            "faults and run this again, or leave them out with --skip-bad",
            outcome.faults,
        )
    return outcome


def _make_plan(job: ConvertJob) -> tuple[ChunkPlan, list[_Chunk]]:
    """The plan of the whole conversion, and all its chunks, whatever the shard."""
    form = get_format(job.format)
    listing = _list_items(job, form)
    items = listing.items[: job.limit]
    settings = [code_digest(job.format), job.source, job.options]
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    named = [(chunk_key(settings, chunk), chunk) for chunk in chunks]
    about = {
        "format": job.format,
        "title": form.INFO.title,
        "home": form.INFO.home,
        **_terms(form, job.options.license, job.options.attribution),
        "source": str(job.source),
        "options": to_json(job.options),
        "listed": len(items),
    }
    shards = job.shard[1] if job.shard else 1
    return ChunkPlan(about, [key for key, _ in named], listing.faults, shards, listing.skipped), named


def _list_items(job: ConvertJob, form: DatasetFormat) -> DatasetListing:
    if not job.source.is_dir():
        raise UserError(f"{job.source}: there is no such folder", remedy="give the folder the set was unpacked to")
    listing = form.items(job.source, job.options)
    faults = [*listing.faults, *(UserError(f"{count} files: {reason}") for reason, count in listing.skipped.items())]
    if not listing.items and not faults:
        raise not_this_set(job.source, form.INFO, "picture")
    if not listing.items:
        raise UserErrors(f"{job.source}: nothing in it can be converted", faults)
    return listing


def _terms(form: DatasetFormat, license_: str, attribution: str) -> dict[str, str]:
    terms = {"license": license_ or form.INFO.license, "attribution": attribution or form.INFO.attribution}
    return {key: term for key, term in terms.items() if term}


def _convert_missing(job: ConvertJob, workspace: Workspace, chunks: Sequence[_Chunk]) -> None:
    """Convert the chunks that have not been converted yet, or had faults when they were."""
    missing = [(key, chunk) for key, chunk in chunks if not _is_clean(load_result(job.dest, key))]
    with bar(f"converting {job.format}", sum(len(chunk) for _, chunk in missing)) as progress:
        if job.workers == 1 or len(missing) < 2:
            for key, chunk in missing:
                progress.advance(_convert_chunk(job.format, workspace, key, chunk))
        else:
            _convert_in_processes(job, workspace, missing, progress)


def _is_clean(result: ChunkResult | None) -> bool:
    return result is not None and not result.faults


def _convert_in_processes(job: ConvertJob, workspace: Workspace, chunks: Sequence[_Chunk], progress: Bar) -> None:
    # Spawned, not forked: a fork of a process with threads (OpenCV's, a notebook's) may hang.
    start_tracker()
    pool = ProcessPoolExecutor(min(job.workers, len(chunks)), get_context("spawn"), _start_worker)
    workers: Sequence[BaseProcess] = ()
    try:
        with starting_workers() as workers:
            futures = [pool.submit(_convert_chunk, job.format, workspace, key, chunk) for key, chunk in chunks]
        for future in as_completed(futures):
            progress.advance(future.result())
    except (BrokenProcessPool, WorkerStopped):
        raise UserError(
            "a worker process was ended from outside",
            cause="most often the machine ran out of memory",
            remedy="give fewer --workers; what is done is not done again",
        ) from None
    finally:
        for worker in workers:
            worker.terminate()
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    import cv2

    obey_first_process()
    cv2.setNumThreads(1)


def _convert_chunk(name: str, workspace: Workspace, key: str, chunk: Sequence[DatasetItem]) -> int:
    """Convert one chunk, store the result, and return the number of its pictures."""
    form = get_format(name)
    terms = _terms(form, workspace.options.license, workspace.options.attribution)
    lines: list[str] = []
    faults: list[UserError] = []
    skipped: Counter[str] = Counter()
    for item in chunk:
        check_not_stopped()
        try:
            lines.append(_checked_line(form.convert(item, workspace), terms, item, workspace))
        except Skipped as reason:
            skipped[str(reason)] += 1
        except OutputError:
            raise
        except UserError as fault:
            faults.append(_name_picture(fault, item, workspace))
        except Exception as bug:
            bug.add_note(f"while {item.name} of {workspace.source} was converted")
            raise
    ChunkResult(lines, faults, skipped).save(workspace.dest, key)
    return len(chunk)


def _name_picture(fault: UserError, item: DatasetItem, workspace: Workspace) -> UserError:
    """The fault with the picture's name: general checks, such as the camera's, do not know which file they check."""
    if str(workspace.source) in fault.problem:
        return fault
    return UserError(f"{workspace.source}: {item.name}: {fault.problem}", fault.cause, fault.remedy)


def _checked_line(row: ManifestRow, terms: Mapping[str, str], item: DatasetItem, workspace: Workspace) -> str:
    """A manifest line that is known to load.

    Raises:
        UserError: If the data set's own numbers cannot be right, such as a principal point outside the picture.
    """
    text = dump_json({**row.to_json(), **terms})
    line = ManifestLine(f"{workspace.source}: {item.name}", workspace.dest, None)
    line.frame(text, decode=False)
    if line.faults:
        raise line.faults[0]
    return text
