"""``toolkit data convert``: chunks of pictures on worker processes, resumable, in shards if wanted."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from multiprocessing import get_context

from toolkit.data.convert.base_format import Item, Listing, Row, Skipped, not_this_set
from toolkit.data.convert.parallel.chunks import Part, Plan, chunk_key, load_part
from toolkit.data.convert.parallel.job import Job, Outcome
from toolkit.data.convert.parallel.merge import counted, finished, join
from toolkit.data.convert.registry import Format, code_of, get_format
from toolkit.data.convert.shared.workspace import Desk
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError, UserErrors
from toolkit.utils.files import locked, make_folder
from toolkit.utils.progress import Bar, bar

CHUNK = 32
"""Pictures that are converted, stored and resumed together; independent of workers and shards."""


_Chunk = tuple[str, Sequence[Item]]


def convert(job: Job) -> Outcome:
    """Convert a set, or a shard of it; what was done before is not done again.

    Raises:
        UserError: If SOURCE is not the set, or DEST cannot be written.
        UserErrors: If parts of the set are missing or damaged, and ``skip_bad`` is not set; all else is converted
            and kept, and no manifest is written.
    """
    job = replace(job, source=job.source.absolute(), dest=job.dest.absolute())
    plan, chunks = _planned(job)
    done = finished(job.dest, plan)
    if done is not None:
        return done
    make_folder(job.dest)
    if job.shard is not None:
        return _convert_shard(job, job.shard, plan, chunks)
    with locked(job.dest):
        plan.save(job.dest)
        _work_through(job, chunks)
        return join(job.dest, plan, job.skip_bad)


def _convert_shard(job: Job, share: tuple[int, int], plan: Plan, chunks: Sequence[_Chunk]) -> Outcome:
    mine = chunks[share[0] - 1 :: share[1]]
    plan.save(job.dest)
    _work_through(job, mine)
    outcome = counted(job.dest, [key for key, _ in mine], ())
    if outcome.faults and not job.skip_bad:
        raise UserErrors(
            f"{job.dest}, shard {share[0]}/{share[1]}: {outcome.pictures} pictures are converted and kept; mend the "
            "faults and run this again, or leave them out with --skip-bad",
            outcome.faults,
        )
    return outcome


def _planned(job: Job) -> tuple[Plan, list[_Chunk]]:
    """The whole conversion, whatever the shard."""
    chosen = get_format(job.format)
    listing = _listed(job, chosen)
    items = listing.items[: job.limit]
    settings = [code_of(job.format), job.source, job.options]
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    named = [(chunk_key(settings, chunk), chunk) for chunk in chunks]
    about = {
        "format": job.format,
        "title": chosen.ABOUT.title,
        "home": chosen.ABOUT.home,
        **_terms(chosen, job.options.license, job.options.attribution),
        "source": str(job.source),
        "options": asdict(job.options),
        "listed": len(items),
    }
    shards = job.shard[1] if job.shard else 1
    return Plan(about, [key for key, _ in named], listing.faults, shards), named


def _listed(job: Job, chosen: Format) -> Listing:
    if not job.source.is_dir():
        raise UserError(f"{job.source}: there is no such folder", remedy="give the folder the set was unpacked to")
    listing = chosen.items(job.source, job.options)
    if not listing.items and not listing.faults:
        raise not_this_set(job.source, chosen.ABOUT, "picture")
    if not listing.items:
        raise UserErrors(f"{job.source}: nothing in it can be converted", listing.faults)
    return listing


def _terms(chosen: Format, license_: str, attribution: str) -> dict[str, str]:
    terms = {"license": license_ or chosen.ABOUT.license, "attribution": attribution or chosen.ABOUT.attribution}
    return {key: term for key, term in terms.items() if term}


def _work_through(job: Job, chunks: Sequence[_Chunk]) -> None:
    """Convert the chunks that are not done, or had faults when they were."""
    desk = Desk(job.source, job.dest, job.options)
    todo = [(key, chunk) for key, chunk in chunks if not _is_clean(load_part(job.dest, key))]
    with bar(f"converting {job.format}", sum(len(chunk) for _, chunk in todo)) as progress:
        if job.workers == 1 or len(todo) < 2:
            for key, chunk in todo:
                progress.advance(_convert_chunk(job.format, desk, key, chunk))
        else:
            _share_out(job, desk, todo, progress)


def _is_clean(part: Part | None) -> bool:
    return part is not None and not part.faults


def _share_out(job: Job, desk: Desk, todo: Sequence[_Chunk], progress: Bar) -> None:
    # Spawned, not forked: a fork of a process with threads (OpenCV's, a notebook's) may hang.
    pool = ProcessPoolExecutor(min(job.workers, len(todo)), get_context("spawn"), _start_worker)
    try:
        futures = [pool.submit(_convert_chunk, job.format, desk, key, chunk) for key, chunk in todo]
        for future in as_completed(futures):
            progress.advance(future.result())
    except BrokenProcessPool:
        raise UserError(
            "a worker process was ended from outside",
            cause="most often the machine ran out of memory",
            remedy="give fewer --workers; what is done is not done again",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    import signal

    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process says what an interruption means
    cv2.setNumThreads(1)


def _convert_chunk(name: str, desk: Desk, key: str, chunk: Sequence[Item]) -> int:
    """Convert one chunk and store what became of it; how many pictures that were."""
    chosen = get_format(name)
    terms = _terms(chosen, desk.options.license, desk.options.attribution)
    lines: list[str] = []
    faults: list[UserError] = []
    skipped: Counter[str] = Counter()
    for item in chunk:
        try:
            lines.append(_checked_line(chosen.convert(item, desk), terms, item, desk))
        except Skipped as reason:
            skipped[str(reason)] += 1
        except UserError as fault:
            faults.append(_placed(fault, item, desk))
        except Exception as bug:
            bug.add_note(f"while {item.name} of {desk.source} was converted")
            raise
    Part(lines, faults, skipped).save(desk.dest, key)
    return len(chunk)


def _placed(fault: UserError, item: Item, desk: Desk) -> UserError:
    """A fault that says where it is: shared parts, such as the camera's checks, do not know of files."""
    if str(desk.source) in fault.problem:
        return fault
    return UserError(f"{desk.source}: {item.name}: {fault.problem}", fault.cause, fault.remedy)


def _checked_line(row: Row, terms: Mapping[str, str], item: Item, desk: Desk) -> str:
    """A manifest line that is known to load.

    Raises:
        UserError: If the set's own numbers cannot be right, such as a principal point outside the picture.
    """
    text = json.dumps({**row.to_json(), **terms}, ensure_ascii=False)
    line = ManifestLine(f"{desk.source}: {item.name}", desk.dest, None)
    line.frame(text, decode=False)
    if line.faults:
        raise line.faults[0]
    return text
