"""The fixed words of eSignet's protocol: claims, scopes, authentication contexts and factors (reference §8)."""

from dataclasses import dataclass

CLAIMS = (
    "name",
    "address",
    "gender",
    "birthdate",
    "picture",
    "email",
    "phone_number",
    "individual_id",
    "phone_number_verified",
    "registration_type",
    "updated_at",
)
SCOPE_CLAIMS: dict[str, tuple[str, ...]] = {
    "openid": (),
    "profile": tuple(claim for claim in CLAIMS if claim != "individual_id"),
    "email": ("email",),
    "phone": ("phone_number", "phone_number_verified"),
    "address": ("address",),
}
AUTHORIZE_SCOPES = (
    "Manage-Identity-Data",
    "Manage-VID",
    "Manage-Authentication",
    "Manage-Service-Requests",
    "Manage-Credentials",
)
DISPLAYS = ("page", "popup", "touch", "wap")
PROMPTS = ("none", "login", "consent", "select_account")

GENERATED_CODE = "mosip:idp:acr:generated-code"
# A client may register any of these; only those with a factor below are offered.
ACRS = (
    GENERATED_CODE,
    "mosip:idp:acr:static-code",
    "mosip:idp:acr:password",
    "mosip:idp:acr:biometrics",
    "mosip:idp:acr:knowledge",
    "mosip:idp:acr:linked-wallet",
)
FACTOR_OF_ACR = {GENERATED_CODE: "OTP"}
ACR_OF_FACTOR = {factor: acr for acr, factor in FACTOR_OF_ACR.items()}


@dataclass(frozen=True)
class ChallengeForm:
    """The format name and the length bounds of a factor's challenge (reference §4.4)."""

    format: str
    shortest: int
    longest: int


CHALLENGES = {
    "OTP": ChallengeForm("alpha-numeric", 6, 6),
    "PWD": ChallengeForm("alpha-numeric", 8, 30),
    "PIN": ChallengeForm("number", 6, 6),
    "BIO": ChallengeForm("encoded-json", 500, 500_000),
    "WLA": ChallengeForm("jwt", 500, 1000),
    "KBI": ChallengeForm("base64url-encoded-json", 50, 500),
    "IDT": ChallengeForm("base64url-encoded-json", 20, 2000),
}
CHANNELS = ("email", "phone")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SIGNING_ALGORITHMS = ("RS256", "PS256")
ASSERTION_ALGORITHMS = ("RS256", "PS256", "ES256")
DPOP_ALGORITHMS = ("RS256", "PS256", "ES256")
ENCRYPTION = ("RSA-OAEP-256", "A256GCM")
REQUEST_URI = "urn:ietf:params:oauth:request_uri:"

# ISO 639-1 to ISO 639-2/T, for claims_locales; three-letter codes pass through.
_LANGUAGES = {"en": "eng", "si": "sin", "ta": "tam", "fr": "fra", "ar": "ara", "hi": "hin", "kn": "kan", "km": "khm"}


def three_letters(tag: str) -> str:
    """The three-letter code of a language tag: `si` and `si-LK` give `sin`; an unknown one is given back as it is."""
    primary = tag.split("-")[0].lower()
    return _LANGUAGES.get(primary, primary)
