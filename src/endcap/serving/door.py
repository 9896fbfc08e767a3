"""Opens the door of a bundle: which key its user ids need, and whether the one at hand fits.

What passes through the door, and how: `endcap.schema.pseudonym`.
"""

from __future__ import annotations

from endcap.bundle.read import Bundle
from endcap.schema.errors import SettingsError
from endcap.schema.pseudonym import KEEP, Door, Pseudonyms

_WHERE = "privacy.id_key, privacy.id_key_file"


def user_ids_of(bundle: Bundle) -> str:
    """Return how the user ids of a bundle were made; a bundle that does not say so kept them."""
    return str(bundle.manifest.get("user_ids", KEEP))


def open_door(bundle: Bundle, pseudonyms: Pseudonyms | None) -> Door:
    """Return the door for the callers of a bundle.

    Args:
        bundle: opened.
        pseudonyms: of the key in the settings; None without one. Not used when the bundle has its
            ids as they are.

    Raises:
        SettingsError: the user ids of the bundle are pseudonyms, and there is no key, or another.
    """
    user_ids = user_ids_of(bundle)
    if user_ids == KEEP:
        return Door()
    if pseudonyms is None:
        raise SettingsError(
            f"the user ids of bundle {bundle.bundle_id} are pseudonyms ({user_ids}), and there is "
            "no key to make them",
            where=_WHERE,
            mend="Give this machine the key that the snapshot was made with",
        )
    if pseudonyms.scheme != user_ids:
        raise SettingsError(
            f"the user ids of bundle {bundle.bundle_id} are pseudonyms of another key: "
            f"{user_ids}, not {pseudonyms.scheme}",
            where=_WHERE,
            mend="Name the key that the snapshot was made with, or ingest and train again",
        )
    return Door(pseudonyms)
