"""Dialogs: settings, the viewer of a creation, shortcuts, about, details of an error. All are opened, none blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeySequence, QPainter, QPaintEvent, QPalette, QPixmap, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.core import prompt
from engine.core.paths import data_dir, models_dir
from engine.core.recipe import Arrival, Creation
from engine.core.vocabulary import Vocabulary
from engine.packs.pack import Pack
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.app.state import Message
from partcraft_desktop.gallery.receipt_chips import CHIP, chip_width, paint_chip, part_name, sentence
from partcraft_desktop.widgets.controls import CheckBox, ShortLabel, paint_cover, push_button, tool_button
from partcraft_desktop.widgets.images import Thumbnails
from partcraft_desktop.widgets.theme import UNIT

SHORTCUTS: Final = (
    ("Open a picture", "Ctrl+O"),
    ("New vocabulary from a folder", "Ctrl+N"),
    ("Search pictures", "Ctrl+F"),
    ("Walk the parts of the picture", "Arrows"),
    ("Take a part, or put it back", "Enter"),
    ("Zoom in", "Ctrl++"),
    ("Zoom out", "Ctrl+-"),
    ("See the whole picture", "Ctrl+0"),
    ("See the picture without its parts", "Alt"),
    ("Random mix", "Ctrl+R"),
    ("Render", "Ctrl+Return"),
    ("Stop rendering", "Esc"),
    ("Undo", "Ctrl+Z"),
    ("Redo", "Ctrl+Shift+Z"),
    ("Use the recipe of a creation", "U"),
    ("View a creation large", "Enter"),
    ("Delete a creation", "Del"),
    ("Next page of the wizard", "Ctrl+Return"),
    ("Page of the wizard before", "Alt+Left"),
    ("Show or hide the library", "Ctrl+B"),
    ("Next area of the window", "F6"),
    ("Settings", "Ctrl+,"),
    ("These shortcuts", "F1"),
    ("Quit", "Ctrl+Q"),
)


class _Dialog(QDialog):
    """A calm sheet: a title, a body, buttons at the right."""

    def __init__(self, title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(True)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        self.column.setSpacing(2 * UNIT)

    def add_title(self, text: str) -> None:
        """The larger of the two text sizes."""
        label = QLabel(text)
        label.setProperty("title", True)
        self.column.addWidget(label)

    def add_buttons(self, *buttons: QWidget) -> None:
        """The last row; buttons stand at the right."""
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addStretch(1)
        for button in buttons:
            row.addWidget(button)
        self.column.addLayout(row)


def _quiet(text: str) -> QLabel:
    label = QLabel(text, wordWrap=True)
    label.setProperty("quiet", True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


class SettingsDialog(_Dialog):
    """What a person can set; every change holds at once."""

    def __init__(self, settings: Settings, packs: Sequence[Pack], parent: QWidget | None = None) -> None:
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
        where = QHBoxLayout()
        where.setSpacing(UNIT)
        where.addWidget(ShortLabel(str(models_dir())), 1)
        where.addWidget(push_button("Show", lambda: show_folder(models_dir()), look="flat"))
        form.addRow("Models", where)
        needed = "\n".join(f"{pack.title} needs {pack.base_model.id} and {pack.backbone.id}" for pack in packs)
        form.addRow("", _quiet(needed or "No pack is here yet."))
        form.addRow("", _quiet("Nothing is downloaded unless you ask for it: partcraft models download ID"))

        self.add_title("Settings")
        self.column.addLayout(form)
        self.column.addSpacing(UNIT)
        self.add_buttons(push_button("Done", self.accept, look="primary"))

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


class _Picture(QWidget):
    """A picture as large as there is room, never cut."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self._path = ""
        self.setMinimumSize(320, 320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        # A method, not a lambda: Qt forgets it together with the dialog.
        thumbnails.ready.connect(self._arrived)

    def sizeHint(self) -> QSize:
        return QSize(512, 512)

    def _arrived(self, path: str) -> None:
        if path == self._path:
            self.update()

    def show_picture(self, path: str) -> None:
        """Show a file."""
        self._path = path
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        # One size for any window, so that resizing does not read the file again and again.
        pixmap: QPixmap | None = self._thumbnails.get(self._path, 1024) if self._path else None
        if pixmap is None or pixmap.isNull():
            return
        size = pixmap.deviceIndependentSize().toSize().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        target = self.rect()
        target.setSize(size)
        target.moveCenter(self.rect().center())
        paint_cover(painter, pixmap, target)
        painter.end()


class _Arrived(QWidget):
    """One line of a receipt: its chip, and in words what became of the choice."""

    def __init__(self, arrival: Arrival, words: Vocabulary | None) -> None:
        super().__init__()
        self._arrival = arrival
        self._words = words
        self._text = sentence(arrival, words)
        self.setAccessibleName(self._text)
        self.setToolTip(self._text)
        self.setFixedHeight(3 * UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        name = part_name(self._words, self._arrival.part)
        room = self.rect().toRectF()
        room.setWidth(chip_width(painter.fontMetrics(), name))
        room.setHeight(CHIP)
        paint_chip(painter, room, self._arrival, name, self._words, self.palette())
        rest = self.rect().adjusted(round(room.width()) + UNIT, 0, 0, -4)
        said = self._text.partition(": ")[2]
        said = painter.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, rest.width())
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, said)
        painter.end()


class Viewer(_Dialog):
    """A creation, large, with its recipe in words and its receipt. Arrows go to its neighbours."""

    recipe_wanted = Signal(object)
    copy_wanted = Signal(object)
    folder_wanted = Signal(object)

    def __init__(
        self,
        creations: Sequence[Creation],
        at: Creation,
        names: Callable[[Creation], Vocabulary | None],
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Creation", parent)
        self._creations = list(creations)
        self._names = names
        self._row = next((row for row, c in enumerate(self._creations) if c.path == at.path), 0)
        self.picture = _Picture(thumbnails)
        self.prompt = QLabel(wordWrap=True)
        self.prompt.setTextFormat(Qt.TextFormat.PlainText)
        self.prompt.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.numbers = _quiet("")
        self._receipt = QVBoxLayout()
        self._receipt.setSpacing(UNIT // 2)

        self.before = tool_button("chevron-left", "Newer creation", lambda: self._go(-1), "Left")
        self.after = tool_button("chevron-right", "Older creation", lambda: self._go(1), "Right")
        for key, step in ((Qt.Key.Key_Left, -1), (Qt.Key.Key_Right, 1)):
            QShortcut(QKeySequence(key), self).activated.connect(lambda step=step: self._go(step))
        walk = QHBoxLayout()
        walk.setSpacing(0)
        walk.addWidget(self.before)
        walk.addWidget(self.after)
        walk.addStretch(1)
        use = push_button("Use this recipe", self._use, "recipe", "primary")
        actions = QGridLayout()
        actions.setSpacing(UNIT)
        actions.addWidget(use, 0, 0, 1, 2)
        actions.addWidget(push_button("Copy", lambda: self.copy_wanted.emit(self.creation), "copy"), 1, 0)
        actions.addWidget(push_button("Folder", lambda: self.folder_wanted.emit(self.creation), "folder"), 1, 1)

        side = QVBoxLayout()
        side.setSpacing(2 * UNIT)
        side.addLayout(walk)
        side.addWidget(self.prompt)
        side.addLayout(self._receipt)
        side.addWidget(self.numbers)
        side.addStretch(1)
        side.addLayout(actions)
        beside = QWidget()
        beside.setFixedWidth(280)
        beside.setLayout(side)
        side.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(3 * UNIT)
        row.addWidget(self.picture, 1)
        row.addWidget(beside)
        self.column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 3 * UNIT)
        self.column.addLayout(row)
        use.setDefault(True)
        use.setFocus()
        self._show()

    @property
    def creation(self) -> Creation:
        """The creation on show."""
        return self._creations[self._row]

    def _go(self, step: int) -> None:
        self._row = min(max(self._row + step, 0), len(self._creations) - 1)
        self._show()

    def _use(self) -> None:
        self.recipe_wanted.emit(self.creation)
        self.accept()

    def _show(self) -> None:
        creation = self.creation
        recipe = creation.recipe
        words = self._names(creation)
        self.picture.show_picture(creation.path)
        self.picture.setAccessibleName(Path(creation.path).name)
        self.prompt.setText(prompt.to_text(recipe.prompt, words))
        lines = [f"Seed {recipe.seed} · {recipe.steps} steps · guidance {recipe.guidance:g}"]
        if recipe.negative:
            lines.insert(0, f"Without: {recipe.negative}")
        if creation.created:
            lines.append(creation.created.replace("T", " ")[:16])
        lines.append(Path(creation.path).name)
        self.numbers.setText("\n".join(lines))
        while self._receipt.count():
            item = self._receipt.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        for arrival in creation.receipt:
            self._receipt.addWidget(_Arrived(arrival, words))
        self.before.setEnabled(self._row > 0)
        self.after.setEnabled(self._row < len(self._creations) - 1)


class PictureDialog(_Dialog):
    """One picture, large. Any of Esc, Enter and Space closes it."""

    def __init__(self, path: str, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(Path(path).stem, parent)
        picture = _Picture(thumbnails)
        picture.show_picture(path)
        picture.setAccessibleName(f"{Path(path).parent.name}, {Path(path).stem}")
        self.column.addWidget(picture, 1)
        close = push_button("Close", self.accept)
        self.add_buttons(close)
        close.setFocus()


class ShortcutsDialog(_Dialog):
    """All keys on one sheet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Shortcuts", parent)
        self.add_title("Shortcuts")
        grid = QGridLayout()
        grid.setHorizontalSpacing(5 * UNIT)
        grid.setVerticalSpacing(UNIT)
        for row, (what, keys) in enumerate(SHORTCUTS):
            grid.addWidget(QLabel(what), row, 0)
            shown = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys
            label = QLabel(shown, alignment=Qt.AlignmentFlag.AlignRight)
            label.setProperty("quiet", True)
            grid.addWidget(label, row, 1)
        self.column.addLayout(grid)
        self.add_buttons(push_button("Close", self.accept))


class AboutDialog(_Dialog):
    """What this is, whose method it uses, and where its files are."""

    def __init__(self, version: str, packs: Sequence[Pack], parent: QWidget | None = None) -> None:
        super().__init__("About PartCraft", parent)
        self.setMinimumWidth(480)
        self.add_title(f"PartCraft Desktop {version}")
        said = QLabel("New creatures by parts: the head of one, the wing of another.", wordWrap=True)
        self.column.addWidget(said)
        self.column.addWidget(
            _quiet(
                "The method is PartCraft by Ng and others (ECCV 2024, arXiv 2407.04604). "
                "This program is free under the Apache License 2.0; the typeface is Inter, under the Open Font License."
            )
        )
        for pack in packs:
            if pack.provenance or pack.licence:
                self.column.addWidget(_quiet(f"{pack.title}: {pack.provenance} {pack.licence}".strip()))
        self.add_buttons(
            push_button("Show my files", lambda: show_folder(data_dir())), push_button("Close", self.accept)
        )


class DetailsDialog(_Dialog):
    """What went wrong, in full, to be copied into a report."""

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__("Details", parent)
        self.setMinimumSize(640, 360)
        self.column.addWidget(QLabel(f"{message.text} {message.hint}".strip(), wordWrap=True))
        self.text = QPlainTextEdit(message.details, readOnly=True)
        self.text.setAccessibleName("Details")
        self.column.addWidget(self.text, 1)
        self.add_buttons(push_button("Copy", self._copy, "copy"), push_button("Close", self.accept))

    def _copy(self) -> None:
        self.text.selectAll()
        self.text.copy()


def show_folder(folder: Path) -> bool:
    """Open a folder in the system's file manager; one that is not there yet is made. False if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
