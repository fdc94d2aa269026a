"""`acronis-pipeline champion …`: who answers questions and why, back to who did before, or to whom a person wants."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from acronis_pipeline.cli.terminal import DataOption, JsonOption, load_settings, opened, print_json, print_table
from acronis_pipeline.core.errors import ChampionError, NoChampionError

if TYPE_CHECKING:
    from acronis_pipeline.champion import Contender, Moved
    from acronis_pipeline.champion.history import HistoryEntry
    from acronis_pipeline.core.settings import Settings
    from acronis_pipeline.store import Store

app = typer.Typer(no_args_is_help=True, help="Who answers questions and why; back to an earlier one in seconds.")

ReasonOption = Annotated[str, typer.Option("--reason", help="For the history.", show_default=False)]
NoRefreshOption = Annotated[
    bool,
    typer.Option("--no-refresh", help="Move at once; its index catches up with today's passages at the next refresh."),
]


@app.callback()
def of_a_person(context: typer.Context) -> None:
    """Somebody waits for each of these commands: an MLflow that is down is given up within seconds."""
    from acronis_pipeline.tracking import impatient

    context.with_resource(impatient())


@app.command()
def show(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the champion, since when and why, and whether MLflow's alias and LanceDB's tag agree."""
    from acronis_pipeline.champion import history, pointer
    from acronis_pipeline.tracking import Tracker

    settings = load_settings(data)
    store = opened(settings, _nobody(settings))
    entry = history.current_entry(store)
    if entry is None:
        raise _nobody(settings)
    tracker = Tracker.of(settings)
    problems = pointer.disagreements(store, tracker, entry.champion)
    version = tracker.champion_version()
    if as_json:
        print_json(history.as_json(entry) | {"registry_version": version, "problems": problems})
        return
    shown = [(name, str(value)) for name, value in _shown(store, entry, version).items()]
    print_table([*shown, *(("disagrees", problem) for problem in problems)], n_left=2)
    typer.echo(
        "Alias and tag follow with `acronis-pipeline champion repair`; put back what is gone, or choose another "
        "one with `acronis-pipeline champion rollback`."
        if problems
        else "MLflow's alias and LanceDB's tag agree."
    )


@app.command(name="history")
def show_history(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List every promotion and rollback, newest first."""
    from acronis_pipeline.champion import history

    settings = load_settings(data)
    past = history.entries(opened(settings, _nobody(settings)))
    if as_json:
        print_json([history.as_json(entry) for entry in reversed(past)])
        return
    if not past:
        raise _nobody(settings)
    for entry in reversed(past):
        champion = entry.champion
        back = f" (to {champion.restored_id})" if champion.restored_id else ""
        typer.echo(
            f"{entry.number:>3}  {champion.promotion_id}  {champion.promoted_at:%Y-%m-%d %H:%M} UTC  "
            f"{champion.move}{back}: {champion.contender}\n     {champion.reason}"
        )


@app.command()
def rollback(
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Promotion id or number of `champion history`.", show_default="the champion before this one"
        ),
    ] = None,
    reason: ReasonOption = "rolled back by hand",
    no_refresh: NoRefreshOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an earlier champion answer questions again."""
    from acronis_pipeline.champion import roll_back

    settings = load_settings(data)
    store = opened(settings, _nobody(settings))
    moved = roll_back(store, settings, to=to, reason=reason, refresh=not no_refresh)
    _finish(store, settings, moved, as_json)


@app.command()
def promote(
    recipe: Annotated[str, typer.Argument(help="Recipe whose newest report has the system.")],
    system: Annotated[str, typer.Argument(help="As the report calls it, for example hybrid.")],
    reason: ReasonOption,
    no_refresh: NoRefreshOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a system of a report answer questions, whatever the evidence says."""
    from acronis_pipeline.champion import promote_by_hand

    settings = load_settings(data)
    store = opened(settings, _nobody(settings))
    moved = promote_by_hand(store, settings, recipe, system, reason=reason, refresh=not no_refresh)
    _finish(store, settings, moved, as_json)


@app.command()
def repair(data: DataOption = None) -> None:
    """Let MLflow's alias, LanceDB's tag and Dagster show the champion, should a killed run have left them behind."""
    from acronis_pipeline.champion import current_champion, pointer
    from acronis_pipeline.defs.assets.champion import report_move
    from acronis_pipeline.tracking import Tracker

    settings = load_settings(data)
    store = opened(settings, _nobody(settings))
    now = current_champion(store)
    if now is None:
        raise _nobody(settings)
    tracker = Tracker.of(settings)
    pointer.follow(store, tracker, now)
    report_move(settings, store, tracker, now)
    if problems := pointer.disagreements(store, tracker, now):
        raise ChampionError(
            f"{now.contender} is the champion, but {'; '.join(problems)}; roll back, or materialize what is gone"
        )
    typer.echo(f"{now.contender} is the champion; MLflow's alias and LanceDB's tag agree.")


def _finish(store: "Store", settings: "Settings", moved: "Moved", as_json: bool) -> None:
    """Let alias, tag and Dagster follow, and say what was done. The pointer has moved, whatever happens here."""
    from acronis_pipeline.champion import history, pointer
    from acronis_pipeline.defs.assets.champion import report_move
    from acronis_pipeline.tracking import Tracker

    now, tracker = moved.champion, Tracker.of(settings)
    try:
        pointer.follow(store, tracker, now)
        report_move(settings, store, tracker, now)
    except Exception as error:  # MLflow's and Dagster's have many roots: no server, no database, no such version
        raise ChampionError(
            f"{now.contender} answers questions now, but MLflow or Dagster did not follow "
            f"({' '.join(str(error).split())[:200]}); run `acronis-pipeline champion repair` once they answer"
        ) from error
    if as_json:
        entry = history.current_entry(store)
        assert entry  # it was just promoted
        print_json(history.as_json(entry))
        return
    new, old = now.contender, moved.before.contender
    typer.echo(f"{_apart(new, old)} answers questions now, instead of {_apart(old, new)}.")
    if moved.refreshed:
        index = moved.refreshed
        typer.echo(
            f"Its index was brought up to date: {index.added + index.updated} passages written, {index.removed} "
            f"removed, {index.embedded} embedded in {index.duration_s:.1f} s."
        )
    typer.echo(
        f"{moved.before.contender} is not promoted again before its model or the questions change, or you ask for it "
        "with `acronis-pipeline champion promote`."
        if now.restored_id
        else "The next materialization of champion compares it with the reports as any other."
    )


def _apart(one: "Contender", other: "Contender") -> str:
    """A contender's name, with its model where the other has the same name."""
    return f"{one} (model {one.model_id})" if str(one) == str(other) else str(one)


def _shown(store: "Store", entry: "HistoryEntry", version: str | None) -> dict[str, Any]:
    from acronis_pipeline.champion import history

    champion, system = entry.champion, entry.champion.system
    settings = {
        name: value
        for name, value in vars(system).items()
        if name not in ("name", "table") and value is not None and (name != "rerank_depth" or system.reranker)
    }
    asked = {name: history.figures(entry, name) for name in entry.scores}
    return {
        "champion": champion.contender,
        "since": f"{champion.promoted_at:%Y-%m-%d %H:%M} UTC, {champion.move} {champion.promotion_id}",
        "why": champion.reason,
        **{f"on {name}": f"nDCG@10 {value}" for name, value in asked.items()},
        "settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "model": f"{champion.model_id} in {champion.model.place}" if champion.model else "none",
        **({"passages": f"{champion.identity.windows}"} if champion.identity and champion.identity.windows else {}),
        "registry": f"version {version}" if version else "no version: an untrained model, or none",
        "table": f"{system.table}, version {store.version(system.table)}",
    }


def _nobody(settings: "Settings") -> NoChampionError:
    return NoChampionError(
        f"{settings.data_dir} has no champion; run `acronis-pipeline demo`, or `acronis-pipeline run --site URL`, or "
        "name another folder with --data"
    )
