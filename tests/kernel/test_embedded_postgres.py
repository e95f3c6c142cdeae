import asyncpg

from janani.kernel.embedded_postgres import EmbeddedPostgres


async def test_the_server_answers_and_a_second_start_finds_it_running(postgres: EmbeddedPostgres) -> None:
    again = EmbeddedPostgres(postgres.folder)
    again.start()
    connection = await asyncpg.connect(again.dsn)
    assert (await connection.fetchval("show server_version_num")).startswith("18")
    await connection.close()
