"""Status strip: quiet. What runs and how long yet, or one sentence and what to do."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from engine.core.durations import duration
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.time_left import doing_text
from partcraft_desktop.widgets.controls import ShortLabel, push_button, tool_button
from partcraft_desktop.widgets.theme import UNIT, icon

SHOWN_MS: Final = 8000
"""How long a message that asks for nothing stays."""


class StatusBar(QWidget):
    """The lowest line of the window. ``details_wanted(message)`` asks to show what a report would need."""

    details_wanted = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._passing: Message | None = None
        """A sentence without an action, in front of all others while it is there."""
        self._kept: Message | None = None
        """The newest sentence with an action, while that was not used."""
        self.setAccessibleName("Status")
        self.setFixedHeight(4 * UNIT)

        self._icon = QLabel()
        self.text = ShortLabel()
        self.text.setObjectName("message")
        self.action = push_button("", self._act, look="flat")
        self.action.setObjectName("message_action")
        self.dismiss = tool_button("close", "Dismiss", self.clear)
        self.doing = QLabel()
        self.doing.setObjectName("doing")
        self.doing.setProperty("quiet", True)
        self.cancel = push_button("Cancel", session.cancel, look="flat")
        self.cancel.setObjectName("cancel")
        self.cancel.setToolTip("Stop the running render (Esc). What is whole stays.")

        self.training = push_button("", self._show_training, look="flat")
        self.training.setObjectName("training")
        self.training.setToolTip("Show the training")

        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, 0, UNIT, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self._icon)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.action)
        layout.addWidget(self.dismiss)
        layout.addWidget(self.training)
        layout.addWidget(self.doing)
        layout.addWidget(self.cancel)
        for button in (self.action, self.cancel, self.training):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self._pass)
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._refresh)
        session.message.connect(self.show_message)
        session.withdrawn.connect(self.withdraw)
        session.changed.connect(self._refresh)
        session.creation_added.connect(self.succeeded)
        self._show()
        self._refresh()

    @property
    def message(self) -> Message | None:
        """The sentence in front."""
        return self._passing or self._kept

    def show_message(self, message: Message) -> None:
        """Show a sentence: one with an action stays until it is used, closed, or replaced by the next with an action;
        an error until it is closed, replaced, or something succeeds; others for a while, in front of an action."""
        self._timer.stop()
        self._passing = None if message.action is not None else message
        if message.action is not None:
            self._kept = message
        elif message.kind == "info":
            self._timer.start()
        self._show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.text, self.text.text()))

    def succeeded(self) -> None:
        """Something that was asked for has come: what is said of an error before it is old. An action stays."""
        if self._passing is not None and self._passing.kind == "error":
            self.withdraw(self._passing)

    def clear(self) -> None:
        """Take the sentence in front away."""
        message = self.message
        if message is not None:
            self.withdraw(message)

    def withdraw(self, message: Message) -> None:
        """Take a sentence away, in front or not."""
        if message is self._passing:
            self._timer.stop()
            self._passing = None
        if message is self._kept:
            self._kept = None
        self._show()

    def _pass(self) -> None:
        if self._passing is not None:
            self.withdraw(self._passing)

    def _show(self) -> None:
        message = self.message
        self._icon.setVisible(message is not None and message.kind != "info")
        if message is not None and message.kind != "info":
            role = QPalette.ColorRole.WindowText
            self._icon.setPixmap(icon("warning", role).pixmap(18, 18))
        self.text.setText(f"{message.text} {message.hint}".strip() if message else "")
        self.text.setAccessibleName(self.text.text())
        action_label = (
            message.action.label if message and message.action else "Details…" if message and message.details else ""
        )
        focused = self.action.hasFocus()
        self.action.setText(action_label)
        self.action.setAccessibleName(action_label)
        self.dismiss.setVisible(message is not None)
        if focused and message is not None and not action_label:
            self.dismiss.setFocus()  # before its neighbour goes, and the keys with it
        self.action.setVisible(bool(action_label))

    def _act(self) -> None:
        message = self.message
        if message is None:
            return
        if message.action is not None:
            self.clear()
            message.action.run()
        elif message.details:
            self.details_wanted.emit(message)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show()  # a label's picture keeps the colour it was painted in

    def event(self, event: QEvent) -> bool:
        # Esc belongs to the sentence while the keys are here; elsewhere it stops the render.
        is_override = event.type() == QEvent.Type.ShortcutOverride
        if (
            is_override
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
            and self.message is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.message is not None:
            self.clear()
        else:
            super().keyPressEvent(event)

    def _show_training(self) -> None:
        run = self._session.state.learning.alive
        if run is not None:
            self._session.learning.show_run(run.folder)

    def _refresh_training(self) -> None:
        """The training that works, unless its own page is open."""
        learning = self._session.state.learning
        run = learning.alive
        on_its_page = learning.shown and learning.draft.page == "learning" and learning.run == run
        self.training.setVisible(run is not None and not on_its_page)
        if run is not None:
            left = f", {duration(run.seconds_left)} left" if run.seconds_left else ""
            share = f" {run.step / run.steps:.0%}" if run.steps and run.step else ""
            text = f"Learning “{shortened(run.title)}”{share}{left}"
            if self.training.text() != text:
                self.training.setText(text)
                self.training.setAccessibleName(text)

    def _refresh(self) -> None:
        self._refresh_training()
        state = self._session.state
        render = state.render
        busy = state.reference is not None and state.reference.busy and state.reference.segmentation is None
        text = doing_text(state, time.monotonic())
        if not text and state.engine == "waking":
            text = f"{state.engine_stage or 'Opening the models'}…"
        saving = f"Saving “{shortened(state.saving[0])}”…" if state.saving else ""
        self.doing.setText(text or ("Finding the parts…" if busy else saving))
        active = render is not None or state.engine == "waking" or busy or bool(saving)
        self.doing.setVisible(active)
        self.cancel.setVisible(render is not None)
        self.cancel.setEnabled(render is not None and not render.cancelling)
        if (render is None and state.load is None) == self._clock.isActive():
            self._clock.stop() if self._clock.isActive() else self._clock.start()


def shortened(name: str) -> str:
    return name if len(name) < 28 else f"{name[:27]}…"
