"""Fills in the tables of docs/coming-from-1.7.md that follow from declarations.

Run it after every change of a trigger or a setting::

    python tools/coming_from_page.py

Here are also the names that QTasks 1.7 had: tests fail while one of them is not on the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtasks._config import SETTINGS, show
from qtasks._config.names import FORMER
from qtasks.contracts.triggers import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE: Final = Path(__file__).parents[1] / "docs" / "coming-from-1.7.md"

#: What could be imported, by module; the parentheses hold modules that had the same names.
_IMPORTS: Final = """
qtasks: AsyncRouter Depends QueueTasks Router SyncRouter __version__ shared_task
qtasks.asyncio: QueueTasks
qtasks.base (qtasks.base.qtasks): BaseQueueTasks
qtasks.brokers: AsyncKafkaBroker AsyncRabbitMQBroker AsyncRedisBroker AsyncSocketBroker
    SyncKafkaBroker SyncRabbitMQBroker SyncRedisBroker SyncSocketBroker
qtasks.brokers.base: BaseBroker
qtasks.storages: AsyncRedisStorage SyncRedisStorage
qtasks.storages.base: BaseStorage
qtasks.configs: AsyncRedisGlobalConfig QueueConfig SyncRedisGlobalConfig
qtasks.configs.config: QueueConfig
qtasks.configs.base: BaseGlobalConfig
qtasks.workers: AsyncWorker SyncThreadWorker
qtasks.workers.base: BaseWorker
qtasks.starters: AsyncStarter SyncStarter
qtasks.starters.base: BaseStarter
qtasks.executors: AsyncTaskExecutor BaseTaskExecutor SyncTaskExecutor
qtasks.executors.base: BaseTaskExecutor
qtasks.registries: AsyncTask SyncTask TaskRegistry
qtasks.results: AsyncResult SyncResult
qtasks.contexts: AsyncContext SyncContext
qtasks.routers: AsyncRouter SyncRouter
qtasks.events: AsyncEvents SyncEvents
qtasks.events.base: BaseEvents
qtasks.events.events: BaseOnEvents OnEvents
qtasks.middlewares: TaskMiddleware
qtasks.middlewares.base: BaseMiddleware
qtasks.middlewares.task: TaskMiddleware
qtasks.mixins (qtasks.mixins.plugin): AsyncPluginMixin SyncPluginMixin
qtasks.plugins: AsyncDependsPlugin AsyncPydanticWrapperPlugin AsyncRetryPlugin AsyncState
    AsyncStatePlugin AsyncTestPlugin AsyncgRPCPlugin Depends SyncDependsPlugin
    SyncPydanticWrapperPlugin SyncRetryPlugin SyncState SyncStatePlugin SyncTestPlugin
    SyncgRPCPlugin
qtasks.plugins.base: BasePlugin
qtasks.plugins.depends: AsyncDependsPlugin Depends ScopeEnum SyncDependsPlugin
qtasks.plugins.states: AsyncState AsyncStatePlugin SyncState SyncStatePlugin
qtasks.plugins.states.registry: AsyncStateRegistry SyncStateRegistry
qtasks.plugins.pydantic: AsyncPydanticWrapperPlugin SyncPydanticWrapperPlugin
qtasks.plugins.retries: AsyncRetryPlugin SyncRetryPlugin
qtasks.plugins.testing: AsyncTestPlugin SyncTestPlugin
qtasks.plugins.grpc: AsyncgRPCPlugin SyncgRPCPlugin qtasks_pb2 qtasks_pb2_grpc
qtasks.exc: TaskCancelError TaskPluginTriggerError
qtasks.exc.plugins: TaskPluginTriggerError
qtasks.exc.task: TaskCancelError
qtasks.enums: TaskStatusEnum
qtasks.enums.task_status: TaskStatusEnum
qtasks.schemas: GlobalConfigSchema TaskExecSchema TaskStatusErrorSchema TaskStatusNewSchema
    TaskStatusProcessSchema TaskStatusSuccessSchema TestConfig
qtasks.schemas.argmeta: ArgMeta
qtasks.schemas.global_config: GlobalConfigSchema
qtasks.schemas.inits: InitsExecSchema
qtasks.schemas.task: Task
qtasks.schemas.task_cls: AsyncTaskCls BaseTaskCls SyncTaskCls
qtasks.schemas.task_exec: TaskExecSchema TaskPrioritySchema
qtasks.schemas.task_status: BaseTaskStatusSchema TaskStatusCancelSchema TaskStatusErrorSchema
    TaskStatusNewSchema TaskStatusProcessSchema TaskStatusSuccessSchema
qtasks.schemas.test: TestConfig
qtasks.stats: AsyncStats SyncStats
qtasks.stats.inspect: InspectStats UtilsInspectStats
qtasks.tests: AsyncTestCase SyncTestCase
qtasks.tests.base: BaseTestCase
qtasks.tests.async_classes: AsyncTestBroker AsyncTestGlobalConfig AsyncTestStorage
    AsyncTestWorker
qtasks.tests.sync_classes: SyncTestBroker SyncTestGlobalConfig SyncTestStorage SyncTestWorker
qtasks.timers: AsyncTimer SyncTimer
qtasks.timers.base: BaseTimer
qtasks.utils: AsyncTaskUtils _build_task get_app shared_task
qtasks.utils.tasks.sync_task_utils: SyncTaskUtils
qtasks.utils.tasks.chains.async_chains: AsyncChain
qtasks.utils.tasks.chains.sync_chains: SyncChain
qtasks.logs: Logger
qtasks._state: app_main log_main
qtasks.contrib.redis: AsyncRedisCommandQueue SyncRedisCommandQueue
qtasks.contrib.django: autodiscover_tasks
qtasks.types (qtasks.types.typing): P R T TAsyncFlag
qtasks.__main__: get_app main positional
"""

#: Triggers by the component that fired them.
_TRIGGERS: Final = """
qtasks: add_task_before_broker add_task_after_broker get stop ping flush_all
broker: listen_start add_worker add_before add_after get update start stop remove_finished_task
    running_older_tasks flush_all
global_config: set get get_all get_match start stop set_status
task_executor: args_replace before_execute middlewares_execute run_task run_task_gen
    run_task_trigger_error after_execute after_execute_result_replace decode task_close
starter: start stop
storage: add get get_all update remove_finished_task start stop add_process running_older_tasks
    delete_finished_tasks flush_all
worker: execute_before execute_after add start stop run_task_before task_error_retry
    remove_finished_task
stats: inspect
"""

#: Settings, in the order of 1.7.
FIELDS: Final = ("max_tasks_process", "task_default_priority", *FORMER)

#: Other words that somebody who comes from 1.7 looks for.
_WORDS: Final = """
-A -app --port --stats-app run stats inspect web json=true python -m qtasks
name broker_url broker worker log config events global_config
tasks routers plugins version starter
task include_router add_plugin add_middleware add_task get run_forever stop ping flush_all
num_workers reset_config loop
priority echo max_time retry retry_on_exc decode tags description generate_handler executor
middlewares_before middlewares_after middlewares awaiting
timeout task_name wait_result wait_result_async
status uuid args kwargs created_at updated_at returning traceback retry_child_uuid
retry_parent_uuid cancel_reason
task_uuid get_logger get_config get_metadata get_task get_component sleep cancel plugin_error
get_plugin
starting stopping worker_running worker_stopping task_running task_success task_error task_cancel
task_stopping
trigger_names component return_last continue_on_fail safe plugin_cache handlers
_args _kwargs _result execute modules
"""


def _listed(text: str) -> Iterable[tuple[str, list[str]]]:
    """Yields what stands before each colon, and the words after it."""
    for line in re.sub(r"\n +", " ", text).strip().splitlines():
        head, _, words = line.partition(": ")
        yield head, words.split()


def imports() -> set[tuple[str, str]]:
    """Returns every module of 1.7 with each of its names."""
    return {
        (module, name)
        for head, names in _listed(_IMPORTS)
        for module in re.findall(r"[\w.]+", head)
        for name in names
    }


def words() -> list[str]:
    """Returns the other words of 1.7: arguments, attributes, events, and of the command line."""
    return _WORDS.split()


def triggers() -> list[str]:
    """Returns the names of the triggers of 1.7."""
    return [f"{head}_{name}" for head, names in _listed(_TRIGGERS) for name in names]


def render(text: str) -> str:
    """Returns the page with its tables made anew.

    Args:
        text: the page as it is.

    Raises:
        ValueError: the page has no place for a table.
    """
    for name, rows in (("triggers", _trigger_rows()), ("settings", _setting_rows())):
        start, end = f"<!-- {name}: made by tools/coming_from_page.py -->\n", "<!-- end -->"
        before, found, after = text.partition(start)
        if not found or end not in after:
            msg = f"{PAGE.name} has no table between {start.strip()!r} and {end!r}"
            raise ValueError(msg)
        text = "".join([before, start, "\n", *rows, "\n", end, after.partition(end)[2]])
    return text


def _trigger_rows() -> Iterable[str]:
    yield "| trigger | | what is different |\n|---|---|---|\n"
    for name in triggers():
        changed = " ".join(CATALOGUE[name].section("Changed").replace("``", "`").split())
        fate = "changed" if changed else "kept"
        yield f"| [`{name}`](triggers.md#{name}) | {fate} | {changed} |\n"


def _setting_rows() -> Iterable[str]:
    yield "| setting | | now |\n|---|---|---|\n"
    for name in FIELDS:
        if name in FORMER:
            yield f"| `{name}` | gone | {FORMER[name]} |\n"
        else:
            default = show(SETTINGS[name].default)
            yield f"| `{name}` | kept | [a setting](configuration.md), `{default}` by default |\n"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
