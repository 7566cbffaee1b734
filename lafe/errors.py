"""The one base of every error that a user can mend."""


class LafeError(ValueError):
    """An input that cannot be used; the message is one sentence and says what to do."""
