"""The third page of the wizard: what the vocabulary is called, and how thoroughly it is learned."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.core.durations import duration
from engine.core.recipe import LIMITS
from partcraft_desktop.app.learning import planning
from partcraft_desktop.app.learning.draft import Preset
from partcraft_desktop.app.learning.state import LearningState, PageError
from partcraft_desktop.widgets.controls import CheckBox, push_button
from partcraft_desktop.widgets.number_field import NumberField
from partcraft_desktop.widgets.progress import JobProgressLine
from partcraft_desktop.widgets.text import quiet
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.wizard.page import ErrorBox, PageTools, WizardPage
from partcraft_desktop.wizard.preset_cards import PresetCards

WIDTH: Final = 680
LABELS: Final = 136
NUMBERS: Final = 200
SIZES: Final = (0, 128, 256, 384, 512, 768, 1024)


class PlanPage(WizardPage):
    """Words, three cards, and everything else behind "More"."""

    def __init__(self, tools: PageTools) -> None:
        learning = tools.learning
        super().__init__("Plan", lambda: learning.dismiss("plan"))
        self._learning = learning
        self.title = self._line("title", "Title of the pack", 120)
        self.noun = self._line("noun", "Noun", 60)
        self.noun.setPlaceholderText("bird")
        self.noun.setToolTip("What one of these things is called: prompts end with it, as in “a photo of a … bird”")
        self.base = QComboBox()
        self.base.setAccessibleName("Base model")
        self.base.activated.connect(lambda _: learning.set_plan(base_model=self.base.currentText()))
        self.codes = NumberField("Codes of each part", "How many variants each part gets", 1, 512)
        self.codes.value_changed.connect(lambda value: learning.set_plan(codes=int(value)))
        self.codes_label = QLabel("Codes")
        self.base_label = QLabel("Base model")
        self.cards = PresetCards()
        self.cards.chosen.connect(lambda preset: learning.set_plan(preset=preset, steps=0))
        self.cost = quiet()
        self.memory = ErrorBox()
        self.unfit = ErrorBox()
        self.models = push_button("Models…", lambda: self.model_wanted.emit(""), look="flat")
        self.models.setToolTip("See which base models there are, and get others")
        self._unfit_base = PageError(
            _UNFIT, _GET_ANOTHER, label="Get a base model…", run=lambda: self.model_wanted.emit(_FITTING_BASE)
        )
        self.doing = JobProgressLine()
        self.doing.cancel.hide()
        self.fold = QToolButton()
        self.fold.setText("More")
        self.fold.setIcon(icon("chevron-right"))
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setCheckable(True)
        self.fold.setAccessibleName("More settings of the training")
        self.fold.toggled.connect(self._unfold)
        self.more = self._make_more()
        self.more.hide()
        self._lay_out()

    def _line(self, name: str, accessible_name: str, longest: int) -> QLineEdit:
        edit = QLineEdit()
        edit.setAccessibleName(accessible_name)
        edit.setMaxLength(longest)
        edit.textEdited.connect(lambda text: self._learning.set_plan(**{name: text}))
        return edit

    def _make_more(self) -> QWidget:
        learning = self._learning

        def number(name: str, label: str, tip: str, low: float, high: float, decimals: int = 0) -> NumberField:
            field = NumberField(label, tip, low, high, 10**-decimals, decimals)
            whole = decimals == 0
            field.value_changed.connect(lambda value: learning.set_plan(**{name: int(value) if whole else value}))
            return field

        self.steps = number("steps", "Steps", "How often the model is changed a little", 1, 1_000_000)
        self.batch = number("batch", "Batch", "Pictures a step: more is steadier and takes more memory", 1, 64)
        self.rank = number("rank", "Rank", "Size of the LoRA; 0 learns tokens only", 0, 128)
        self.seed = number("seed", "Seed", "The same seed and plan learn the same", *LIMITS["seed"])
        self.rate = number("rate", "Rate of the LoRA", "How much a step changes the LoRA", 0, 1, 5)
        self.token_rate = number("token_rate", "Rate of the tokens", "How much a step changes the tokens", 0, 1, 5)
        self.sides = QComboBox()
        self.sides.setAccessibleName("Picture size")
        for side in SIZES:
            self.sides.addItem(f"{side} px" if side else "The base model’s own", side)
        self.sides.activated.connect(lambda _: learning.set_plan(size=self.sides.currentData()))
        self.recipe = QComboBox()
        self.recipe.setAccessibleName("Recipe")
        self.recipe.addItem("PartCraft Desktop’s", "ours")
        self.recipe.addItem("The paper’s", "paper")
        self.recipe.activated.connect(lambda _: learning.set_plan(recipe=self.recipe.currentData()))
        self.checkpointing = CheckBox("Less memory, slower steps")
        self.checkpointing.setAccessibleName("Gradient checkpointing: less memory, slower steps")
        self.checkpointing.toggled.connect(lambda on: learning.set_plan(checkpointing=on))
        more = QWidget()
        form = _form(more)
        for text, field in (
            ("Steps", self.steps),
            ("Batch", self.batch),
            ("Rank", self.rank),
            ("Picture size", self.sides),
            ("Checkpointing", self.checkpointing),
            ("Recipe", self.recipe),
            ("Rate of the LoRA", self.rate),
            ("Rate of the tokens", self.token_rate),
            ("Seed", self.seed),
        ):
            label = QLabel(text)
            label.setMinimumWidth(LABELS)
            if isinstance(field, NumberField):
                field.setMaximumWidth(NUMBERS)
            form.addRow(label, field)
        return more

    def _lay_out(self) -> None:
        form_widget = QWidget()
        form = _form(form_widget)
        title = QLabel("Title")
        title.setMinimumWidth(LABELS)
        self.codes.setMaximumWidth(NUMBERS)
        form.addRow(title, self.title)
        form.addRow("One of them is a", self.noun)
        bases = QHBoxLayout()
        bases.setSpacing(UNIT)
        bases.addWidget(self.base, 1)
        bases.addWidget(self.models)
        form.addRow(self.base_label, bases)
        form.addRow(self.codes_label, self.codes)
        middle = QWidget()
        middle.setMaximumWidth(WIDTH)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, UNIT, UNIT, UNIT)
        column.setSpacing(2 * UNIT)
        column.addWidget(form_widget)
        column.addWidget(self.unfit)
        column.addWidget(self.cards)
        column.addWidget(self.cost)
        column.addWidget(self.memory)
        column.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.more)
        column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        area.setWidget(middle)
        area.viewport().setAutoFillBackground(False)
        middle.setAutoFillBackground(False)
        self.column.addWidget(area, 1)
        self.column.addWidget(self.doing)

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        self.error_box.show_error(state.errors.get("plan"))
        progress = state.jobs.get("pack") or state.jobs.get("measure") or state.jobs.get("start")
        self.doing.show_progress(progress)
        self.doing.cancel.hide()
        plan = state.draft.plan
        _show_text(self.title, plan.title)
        _show_text(self.noun, plan.noun)
        self._show_bases(state)
        fits = state.base_fits
        unfit = PageError(_UNFIT, _CHOOSE_ANOTHER) if len(state.base_models) > 1 else self._unfit_base
        self.unfit.show_error(None if fits else unfit, can_retry=False)
        for widget in (self.cards, self.fold):
            widget.setVisible(fits)
        self.cost.setVisible(fits and progress is None)
        self.more.setVisible(fits and self.fold.isChecked())
        unsorted = state.surveyed is not None and len(state.surveyed.kinds) < 2
        for widget in (self.codes, self.codes_label):
            widget.setVisible(unsorted)
        self.codes.set_value(state.codes)
        self.cards.show_choice(None if plan.steps else plan.preset, planning.steps_of(state), self._costs(state))
        self._show_cost(state)
        self.steps.set_value(planning.all_steps(state))
        for name in ("batch", "rank", "seed", "rate", "token_rate"):
            getattr(self, name).set_value(planning.setting(state, name))
        self.sides.setCurrentIndex(max(0, self.sides.findData(planning.setting(state, "size"))))
        self.recipe.setCurrentIndex(max(0, self.recipe.findData(planning.setting(state, "recipe"))))
        self.checkpointing.blockSignals(True)
        self.checkpointing.setChecked(planning.setting(state, "checkpointing"))
        self.checkpointing.blockSignals(False)

    def _show_bases(self, state: LearningState) -> None:
        shown_models = [self.base.itemText(row) for row in range(self.base.count())]
        base_models = [state.base_model] if state.draft.extends else list(state.base_models)
        if shown_models != base_models:
            self.base.clear()
            self.base.addItems(base_models)
        self.base.setCurrentText(state.base_model)
        self.base.setEnabled(len(base_models) > 1)

    def _costs(self, state: LearningState) -> dict[Preset, str]:
        if state.measured is None:
            return {}
        costs: dict[Preset, str] = {}
        for preset, steps in planning.steps_of(state).items():
            seconds, memory = planning.cost_of(state.measured, state, steps)
            costs[preset] = f"about {duration(seconds)}, {_gigabytes(memory)}"
        return costs

    def _show_cost(self, state: LearningState) -> None:
        measured, plan = state.measured, state.draft.plan
        cost, memory = "", 0
        if measured is not None:
            seconds, memory = planning.cost_of(measured, state, planning.all_steps(state))
            if plan.steps:
                cost = f"{plan.steps:,} steps: about {duration(seconds)}, {_gigabytes(memory)}. "
            cost += f"Measured on this computer, at {measured.size} pixels."
            start = None if state.draft.extends else planning.beginning_pack(state)
            if start is not None:
                cost += f" Learning begins at what “{start.title}” knows."
        self.cost.setText(cost)
        too_much = memory > planning.free_memory()
        self.memory.show_error(_memory_error(memory) if too_much else None, can_retry=False)

    def _unfold(self, open: bool) -> None:
        self.fold.setIcon(icon("chevron-down" if open else "chevron-right"))
        self.more.setVisible(open)


_FITTING_BASE: Final = "stable-diffusion-v1-5/stable-diffusion-v1-5"
_UNFIT: Final = "The starter’s base paints small drawn birds only: it cannot learn to paint pictures like these."
_MIX: Final = "Mix now puts creatures together from the pictures themselves. To have them painted anew, "
_GET_ANOTHER: Final = f"{_MIX}get Stable Diffusion 1.5 or SDXL (training it needs a GPU) and choose it here."
_CHOOSE_ANOTHER: Final = f"{_MIX}choose another base model above."


def _memory_error(needed: int) -> PageError:
    return PageError(
        f"This needs {_gigabytes(needed)} of memory, and {_gigabytes(planning.free_memory())} are free.",
        "Close other programs, or choose a smaller batch or checkpointing under More.",
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _show_text(edit: QLineEdit, text: str) -> None:
    # What is being typed must keep its cursor.
    if edit.text() != text:
        edit.setText(text)
        edit.setCursorPosition(0)


def _form(widget: QWidget) -> QFormLayout:
    form = QFormLayout(widget)
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(3 * UNIT)
    form.setVerticalSpacing(UNIT + 4)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
