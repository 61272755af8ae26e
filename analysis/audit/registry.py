"""Registry: which checks the audit makes of every run.

A check is one `Check` in a module of its own subject, and one place in `CHECKS`, or a `FolderCheck`
in `FOLDER_CHECKS`: the command line, audit.json and the report take it from here.
"""

from typing import Final

from analysis.audit.accounting_checks import ACCOUNTING_CHECKS
from analysis.audit.answer_checks import ANSWER_CHECKS
from analysis.audit.arrival_checks import ARRIVAL_CHECKS
from analysis.audit.authorship_checks import AUTHORSHIP_CHECKS
from analysis.audit.board_checks import BOARD_CHECKS
from analysis.audit.campaign import FolderCheck
from analysis.audit.chain_checks import CHAIN_CHECKS
from analysis.audit.check import Check
from analysis.audit.copies import COPY_CHECKS
from analysis.audit.energy_checks import ENERGY_CHECKS
from analysis.audit.enforcement_checks import ENFORCEMENT_CHECKS
from analysis.audit.export_checks import EXPORT_CHECKS
from analysis.audit.handover_checks import HANDOVER_CHECKS
from analysis.audit.job_checks import JOB_CHECKS
from analysis.audit.lodging_checks import LODGING_CHECKS
from analysis.audit.meter_checks import METER_CHECKS
from analysis.audit.model_checks import MODEL_CHECKS
from analysis.audit.near_copies import NEAR_COPY_CHECKS
from analysis.audit.pace_checks import PACE_CHECKS
from analysis.audit.page_checks import PAGE_CHECKS
from analysis.audit.paging_checks import PAGING_CHECKS
from analysis.audit.plan_checks import PLAN_CHECKS
from analysis.audit.power_checks import POWER_CHECKS
from analysis.audit.reach_checks import REACH_CHECKS
from analysis.audit.reading_checks import READING_CHECKS
from analysis.audit.record_rules import RECORD_CHECKS
from analysis.audit.report_checks import REPORT_CHECKS
from analysis.audit.result_checks import RESULT_CHECKS
from analysis.audit.setting_checks import REPEAT_SETTING_CHECKS, SETTING_CHECKS
from analysis.audit.spec_rules import SPEC_CHECKS
from analysis.audit.stamp_checks import STAMP_CHECKS, STAMP_FOLDER_CHECKS
from analysis.audit.tenure_checks import TENURE_CHECKS
from analysis.audit.text_checks import TEXT_CHECKS
from analysis.audit.time_rules import TIME_CHECKS
from analysis.audit.witness_checks import WITNESS_CHECKS
from analysis.audit.work_checks import WORK_CHECKS

CHECKS: Final[list[Check]] = [
    *RECORD_CHECKS,
    *CHAIN_CHECKS,
    *AUTHORSHIP_CHECKS,
    *STAMP_CHECKS,
    *EXPORT_CHECKS,
    *SPEC_CHECKS,
    *BOARD_CHECKS,
    *SETTING_CHECKS,
    *JOB_CHECKS,
    *TIME_CHECKS,
    *READING_CHECKS,
    *ENERGY_CHECKS,
    *WITNESS_CHECKS,
    *METER_CHECKS,
    *ACCOUNTING_CHECKS,
    *POWER_CHECKS,
    *ENFORCEMENT_CHECKS,
    *WORK_CHECKS,
    *ARRIVAL_CHECKS,
    *PAGING_CHECKS,
    *MODEL_CHECKS,
    *ANSWER_CHECKS,
    *TEXT_CHECKS,
    *RESULT_CHECKS,
]
"""All checks of a run, in the order they are made and told; names stand once each."""
FOLDER_CHECKS: Final[list[FolderCheck]] = [
    *REACH_CHECKS,
    *COPY_CHECKS,
    *LODGING_CHECKS,
    *STAMP_FOLDER_CHECKS,
    *NEAR_COPY_CHECKS,
    *TENURE_CHECKS,
    *HANDOVER_CHECKS,
    *PLAN_CHECKS,
    *REPEAT_SETTING_CHECKS,
    *PACE_CHECKS,
    *REPORT_CHECKS,
    *PAGE_CHECKS,
]
"""All checks of a results folder's runs together, in the order they are made and told."""
