"""What there is to know of the metadata types: names, classes, and which members refer to which type. Pure."""

from typing import Any

CLASSES = {
    "aggregateDataExchanges": "dataexchange.aggregate.AggregateDataExchange",
    "attributes": "attribute.Attribute",
    "categories": "category.Category",
    "categoryCombos": "category.CategoryCombo",
    "categoryOptionCombos": "category.CategoryOptionCombo",
    "categoryOptions": "category.CategoryOption",
    "categoryOptionGroups": "category.CategoryOptionGroup",
    "constants": "constant.Constant",
    "dashboards": "dashboard.Dashboard",
    "dataElementGroups": "dataelement.DataElementGroup",
    "dataElements": "dataelement.DataElement",
    "dataSets": "dataset.DataSet",
    "eventFilters": "programstagefilter.EventFilter",
    "eventVisualizations": "eventvisualization.EventVisualization",
    "indicatorTypes": "indicator.IndicatorType",
    "indicators": "indicator.Indicator",
    "legendSets": "legend.LegendSet",
    "maps": "mapping.Map",
    "oAuth2Clients": "security.oauth2.client.Dhis2OAuth2Client",
    "optionGroupSets": "option.OptionGroupSet",
    "optionGroups": "option.OptionGroup",
    "optionSets": "option.OptionSet",
    "options": "option.Option",
    "organisationUnitGroupSets": "organisationunit.OrganisationUnitGroupSet",
    "organisationUnitGroups": "organisationunit.OrganisationUnitGroup",
    "organisationUnitLevels": "organisationunit.OrganisationUnitLevel",
    "organisationUnits": "organisationunit.OrganisationUnit",
    "programIndicators": "program.ProgramIndicator",
    "programNotificationTemplates": "program.notification.ProgramNotificationTemplate",
    "programRuleActions": "programrule.ProgramRuleAction",
    "programRuleVariables": "programrule.ProgramRuleVariable",
    "programRules": "programrule.ProgramRule",
    "programSections": "program.ProgramSection",
    "programStageSections": "program.ProgramStageSection",
    "programStageWorkingLists": "programstageworkinglist.ProgramStageWorkingList",
    "programStages": "program.ProgramStage",
    "programs": "program.Program",
    "relationshipTypes": "relationship.RelationshipType",
    "routes": "route.Route",
    "trackedEntityAttributes": "trackedentity.TrackedEntityAttribute",
    "trackedEntityInstanceFilters": "trackedentityfilter.TrackedEntityFilter",
    "trackedEntityTypes": "trackedentity.TrackedEntityType",
    "userGroups": "user.UserGroup",
    "userRoles": "user.UserRole",
    "users": "user.User",
    "visualizations": "visualization.Visualization",
}

# Members that refer to another object, and the type they refer to. The same name means the same everywhere.
REFERENCES = {
    "ancestors": "organisationUnits",
    "attribute": "attributes",
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
    "createdBy": "users",
    "lastUpdatedBy": "users",
    "organisationUnit": "organisationUnits",
    "organisationUnitGroups": "organisationUnitGroups",
    "programIndicators": "programIndicators",
    "programRule": "programRules",
    "programRuleActions": "programRuleActions",
    "programRuleVariables": "programRuleVariables",
    "relationshipType": "relationshipTypes",
    "categoryOptionCombos": "categoryOptionCombos",
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


# Members that say who wrote an object: whoever imports it is somebody else, so they are not checked.
UNCHECKED = frozenset(("createdBy", "lastUpdatedBy", "ancestors", "children"))


def klass(kind: str) -> str:
    """The Java class DHIS2 names in reports for objects of type `kind`."""
    return f"org.hisp.dhis.{CLASSES[kind]}"


def singular(kind: str) -> str:
    """The name DHIS2 uses for one object of type `kind` in messages ("ProgramStage")."""
    return CLASSES[kind].rsplit(".", 1)[1]
