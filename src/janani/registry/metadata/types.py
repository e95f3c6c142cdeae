"""What there is to know of the metadata types: names, classes, and which members refer to which type. Pure."""

from typing import Any

CLASSES = {
    "attributes": "attribute.Attribute",
    "categories": "category.Category",
    "categoryCombos": "category.CategoryCombo",
    "categoryOptionCombos": "category.CategoryOptionCombo",
    "categoryOptions": "category.CategoryOption",
    "constants": "constant.Constant",
    "dataElements": "dataelement.DataElement",
    "oAuth2Clients": "security.oauth2.client.Dhis2OAuth2Client",
    "optionSets": "option.OptionSet",
    "options": "option.Option",
    "organisationUnitGroups": "organisationunit.OrganisationUnitGroup",
    "organisationUnitLevels": "organisationunit.OrganisationUnitLevel",
    "organisationUnits": "organisationunit.OrganisationUnit",
    "programIndicators": "program.ProgramIndicator",
    "programRuleActions": "programrule.ProgramRuleAction",
    "programRuleVariables": "programrule.ProgramRuleVariable",
    "programRules": "programrule.ProgramRule",
    "programSections": "program.ProgramSection",
    "programStageSections": "program.ProgramStageSection",
    "programStages": "program.ProgramStage",
    "programs": "program.Program",
    "relationshipTypes": "relationship.RelationshipType",
    "routes": "route.Route",
    "trackedEntityAttributes": "trackedentity.TrackedEntityAttribute",
    "trackedEntityTypes": "trackedentity.TrackedEntityType",
    "userGroups": "user.UserGroup",
    "userRoles": "user.UserRole",
    "users": "user.User",
}

# Members that refer to another object, and the type they refer to. The same name means the same everywhere.
REFERENCES = {
    "categories": "categories",
    "categoryCombo": "categoryCombos",
    "categoryOptions": "categoryOptions",
    "dataElement": "dataElements",
    "dataElements": "dataElements",
    "dataViewOrganisationUnits": "organisationUnits",
    "optionSet": "optionSets",
    "options": "options",
    "organisationUnits": "organisationUnits",
    "parent": "organisationUnits",
    "children": "organisationUnits",
    "program": "programs",
    "programs": "programs",
    "programSections": "programSections",
    "programStage": "programStages",
    "programStages": "programStages",
    "programStageSections": "programStageSections",
    "teiSearchOrganisationUnits": "organisationUnits",
    "trackedEntityAttribute": "trackedEntityAttributes",
    "trackedEntityAttributes": "trackedEntityAttributes",
    "trackedEntityType": "trackedEntityTypes",
    "userGroups": "userGroups",
    "userRoles": "userRoles",
    "users": "users",
}

# What must be sent, beside the name.
REQUIRED = {
    "dataElements": ("valueType", "domainType", "shortName"),
    "oAuth2Clients": ("clientId",),
    "organisationUnits": ("openingDate", "shortName"),
    "programs": ("programType", "shortName"),
    "routes": ("url",),
    "trackedEntityAttributes": ("valueType", "shortName"),
    "users": ("username", "firstName", "surname"),
}
NAMELESS = {"users", "organisationUnitLevels", "programRuleVariables", "programRuleActions", "categoryOptionCombos"}

Json = dict[str, Any]


def klass(kind: str) -> str:
    """The Java class DHIS2 names in reports for objects of type `kind`."""
    return f"org.hisp.dhis.{CLASSES[kind]}"


def singular(kind: str) -> str:
    """The name DHIS2 uses for one object of type `kind` in messages ("ProgramStage")."""
    return CLASSES[kind].rsplit(".", 1)[1]
