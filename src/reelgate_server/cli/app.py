"""The root of the command line."""

import typer

from reelgate_server.cli import admin, client, doctor, up
from reelgate_server.cli.operations import Operations
from reelgate_server.cli.refusals import told_plainly
from reelgate_server.config import Settings


def build_cli(operations: Operations) -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        name="reelgate",
        help="One gRPC service in front of every video-generation provider.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    @app.command()
    @told_plainly
    def serve() -> None:
        """Serve gRPC alone, as the settings say; models without a configured provider are refused."""
        operations.serve(Settings())

    @app.command()
    @told_plainly
    def migrate() -> None:
        """Bring the job store to this version's schema."""
        applied = operations.migrate_store(Settings())
        print(f"applied migrations: {', '.join(map(str, applied)) or 'none were missing'}")

    up.add_command(app, operations)
    doctor.add_command(app, operations)
    admin.add_commands(app, operations)
    client.add_commands(app)
    return app
