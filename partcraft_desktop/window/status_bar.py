"""Status strip: quiet. What runs and how long yet, or one sentence and what to do."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QWidget

from engine.core.durations import duration
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.time_left import doing_text
from partcraft_desktop.widgets.button_menu import open_menu
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
        self._kept: list[Message] = []
        """Sentences whose action was not used yet, the newest first."""
        self.setAccessibleName("Status")
        self.setFixedHeight(4 * UNIT)

        self._icon = QLabel()
        self.text = ShortLabel()
        self.text.setObjectName("message")
        self.action = push_button("", self._act, look="flat")
        self.action.setObjectName("message_action")
        self.dismiss = tool_button("close", "Dismiss", self.clear)
        self.more = push_button("", self._show_more, look="flat")
        self.more.setObjectName("more_messages")
        self.more.setProperty("quiet", True)
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
        layout.addWidget(self.more)
        layout.addWidget(self.training)
        layout.addWidget(self.doing)
        layout.addWidget(self.cancel)
        for button in (self.action, self.more, self.cancel, self.training):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self._pass)
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._refresh)
        session.message.connect(self.show_message)
        session.withdrawn.connect(self.withdraw)
        session.changed.connect(self._refresh)
        self._show()
        self._refresh()

    @property
    def message(self) -> Message | None:
        """The sentence in front."""
        return self._passing or (self._kept[0] if self._kept else None)

    def show_message(self, message: Message) -> None:
        """Show a sentence in front of those that wait: one with an action stays until it is used or closed, an error
        until it is closed or replaced, others for a while."""
        self._timer.stop()
        self._passing = None if message.action is not None else message
        if message.action is not None:
            self._kept.insert(0, message)
        elif message.kind == "info":
            self._timer.start()
        self._show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.text, self.text.text()))

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
        self._kept = [kept for kept in self._kept if kept is not message]
        self._show()

    def clear_all(self) -> None:
        """Take all sentences away."""
        self._timer.stop()
        self._passing, self._kept = None, []
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
        behind = len(self._kept) - (self._passing is None)
        focused = self.action.hasFocus() or self.more.hasFocus()
        self.action.setText(action_label)
        self.action.setAccessibleName(action_label)
        self.dismiss.setVisible(message is not None)
        if focused and message is not None and not action_label:
            self.dismiss.setFocus()  # before its neighbour goes, and the keys with it
        self.action.setVisible(bool(action_label))
        self.more.setVisible(behind > 0)
        self.more.setText(f"{behind} more")
        self.more.setAccessibleName(f"{behind} more messages" if behind > 1 else "1 more message")

    def _show_more(self) -> None:
        """A menu of the sentences that wait: one that is chosen comes to the front."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for message in self._kept:
            if message is not self.message:
                text = message.text if len(message.text) < 60 else f"{message.text[:59]}…"
                action = menu.addAction(text.replace("&", "&&"))
                action.triggered.connect(lambda _=False, message=message: self._bring_forward(message))
        menu.addSeparator()
        menu.addAction("Close all").triggered.connect(self.clear_all)
        above = self.more.mapToGlobal(self.more.rect().topLeft()) - QPoint(0, menu.sizeHint().height())
        open_menu(menu, self.more, above)

    def _bring_forward(self, message: Message) -> None:
        if message in self._kept:
            self._pass()
            self._kept.sort(key=lambda kept: kept is not message)
            self._show()

    def _act(self) -> None:
        message = self.message
        if message is None:
            return
        if message.action is not None:
            self.clear()
            message.action.run()
        elif message.details:
            self.details_wanted.emit(message)

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
