"""The worker of docker-compose.yml: `hello` greets whom its payload names. Put your own jobs here."""

from pydantic import BaseModel

from rota import JobContext, Worker

worker = Worker()


class Greeting(BaseModel):
    name: str = "world"


@worker.job("hello", timeout=10)
async def hello(ctx: JobContext, payload: Greeting) -> str:
    ctx.log.info("greeting", name=payload.name, due=ctx.due_at)
    return f"hello, {payload.name}"
