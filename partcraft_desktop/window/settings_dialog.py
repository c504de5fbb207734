"""The settings dialog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFileDialog, QFormLayout, QHBoxLayout, QToolButton, QWidget

from engine.packs.pack import Pack
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.widgets.controls import CheckBox, ShortLabel, push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.theme import UNIT


class SettingsDialog(Dialog):
    """What a person can set; every change holds at once. ``models`` is the folder of downloaded models;
    ``folder_wanted(path)`` asks to show a folder, ``models_wanted()`` the page of models."""

    folder_wanted = Signal(object)
    models_wanted = Signal()

    def __init__(self, settings: Settings, packs: Sequence[Pack], models: Path, parent: QWidget | None = None) -> None:
        super().__init__("Settings", parent)
        self._settings = settings
        self.setMinimumWidth(520)
        values = settings.values

        self.themes = QButtonGroup(self)
        theme_row = QHBoxLayout()
        theme_row.setSpacing(UNIT)
        for label, value in (("Like the system", "system"), ("Light", "light"), ("Dark", "dark")):
            button = QToolButton()
            button.setText(label)
            button.setCheckable(True)
            button.setChecked(value == values.theme)
            button.setProperty("choice", True)
            button.setObjectName(value)
            button.setAccessibleName(f"Theme: {label.lower()}")
            button.clicked.connect(lambda _=False, value=value: settings.set(theme=value))
            self.themes.addButton(button)
            theme_row.addWidget(button)
        theme_row.addStretch(1)

        self.motion = CheckBox("Reduce motion")
        self.motion.setChecked(values.reduced_motion)
        self.motion.toggled.connect(lambda on: settings.set(reduced_motion=on))

        self.mark = CheckBox("Mark renders as made with a model")
        self.mark.setToolTip("Says so in the file, as IPTC asks for, which other programs and sites read")
        self.mark.setChecked(values.mark_renders)
        self.mark.toggled.connect(lambda on: settings.set(mark_renders=on))

        self.out = ShortLabel(str(settings.out))
        self.out.setAccessibleName("Folder for creations")
        out_row = QHBoxLayout()
        out_row.setSpacing(UNIT)
        out_row.addWidget(self.out, 1)
        out_row.addWidget(push_button("Change…", self._choose_out))
        self._default = push_button("Default", lambda: self._set_out(""), look="flat")
        self._default.setToolTip(str(settings.home / "creations"))
        self._default.setVisible(bool(values.out))
        out_row.addWidget(self._default)

        form = QFormLayout()
        form.setHorizontalSpacing(3 * UNIT)
        form.setVerticalSpacing(2 * UNIT)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Theme", theme_row)
        form.addRow("", self.motion)
        form.addRow("Creations", out_row)
        form.addRow("", self.mark)
        models_row = QHBoxLayout()
        models_row.setSpacing(UNIT)
        models_row.addWidget(ShortLabel(str(models)), 1)
        models_row.addWidget(push_button("Show", lambda: self.folder_wanted.emit(models), look="flat"))
        models_row.addWidget(push_button("Models…", self._show_models))
        form.addRow("Models", models_row)
        needed = "\n".join(f"{pack.title} needs {pack.base_model.id} and {pack.backbone.id}" for pack in packs)
        form.addRow("", quiet_label(needed or "No pack is here yet."))
        form.addRow("", quiet_label("Nothing is fetched unless you ask for it."))

        self.add_title("Settings")
        self.column.addLayout(form)
        self.column.addSpacing(UNIT)
        self.add_buttons(push_button("Done", self.accept, look="primary"))

    def _show_models(self) -> None:
        self.accept()
        self.models_wanted.emit()

    def _choose_out(self) -> None:
        dialog = QFileDialog(self, "Folder for creations", str(self._settings.out))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._set_out)
        dialog.open()

    def _set_out(self, folder: str) -> None:
        self._default.setVisible(bool(folder))
        self._settings.set(out=folder)
        self.out.setText(str(self._settings.out))
