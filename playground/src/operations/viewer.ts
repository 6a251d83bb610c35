// What the page asks about the viewer, to fill the ready operations in and to say which of them are for them.

export const REGISTRATION = /* GraphQL */ `
  query HowToRegister {
    registration
  }
`;

/** What the viewer has; groups and projects are chosen from it. */
export const MINE = /* GraphQL */ `
  query Mine {
    registration
    viewer {
      id
      username
      platformRole
      memberships(first: 100) {
        nodes {
          role
          group {
            id
            name
          }
        }
      }
      sessions(first: 20) {
        nodes {
          id
          device
          address
          isCurrent
        }
      }
      apiTokens(first: 50) {
        nodes {
          id
          name
        }
      }
    }
    groups(first: 100) {
      nodes {
        id
        name
        viewerRole
      }
    }
    projects(first: 100) {
      nodes {
        id
        name
        state
        group {
          id
          name
        }
      }
    }
    requests(first: 50) {
      nodes {
        id
        title
        status
        author {
          username
        }
        viewerCanResolve
      }
    }
    pvcs(first: 100) {
      nodes {
        id
        name
        user {
          username
        }
        group {
          name
        }
        project {
          name
        }
        sharedFrom {
          id
        }
        viewerAccess
        viewerCanResize
        viewerCanSetPermissions
        viewerCanDelete
      }
    }
    users(first: 100, orderBy: { field: USERNAME }) {
      nodes {
        ...PersonToChoose
      }
    }
    notifications(first: 0, filter: { unread: true }) {
      totalCount
    }
    access: effectiveAccess {
      ...Decided
    }
  }

  fragment PersonToChoose on User {
    id
    username
    state
    viewerCanEnable
    viewerCanDisable
    viewerCanDelete
  }

  fragment Decided on Access {
    action
    allowed
    rule
  }
`;

/** What the viewer may do with the chosen group and project, and who is there to do it to. */
export const CHOSEN = /* GraphQL */ `
  query Chosen(
    $me: ID!
    $group: ID!
    $project: ID!
    $hasGroup: Boolean!
    $hasProject: Boolean!
    $isAdmin: Boolean!
  ) {
    self: effectiveAccess(on: $me) {
      ...Decided
    }
    groupAccess: effectiveAccess(on: $group) @include(if: $hasGroup) {
      ...Decided
    }
    projectAccess: effectiveAccess(on: $project) @include(if: $hasProject) {
      ...Decided
    }
    group(id: $group) @include(if: $hasGroup) {
      members(first: 100) {
        nodes {
          id
          role
          user {
            id
            username
          }
          viewerCanSetRole
          viewerCanRemove
        }
      }
    }
    waiting: users(first: 50, filter: { states: [WAITING, DISABLED] }) @include(if: $isAdmin) {
      nodes {
        id
        username
        state
        viewerCanEnable
        viewerCanDisable
        viewerCanDelete
      }
    }
  }

  fragment Decided on Access {
    action
    allowed
    rule
  }
`;

/** What is followed in the background while somebody is logged in: each event says that something waits for them. */
export const NEWS = [
  /* GraphQL */ `
    subscription NotificationNews($after: FeedCursor) {
      notificationEvents(after: $after) {
        cursor
      }
    }
  `,
  /* GraphQL */ `
    subscription RequestNews($after: FeedCursor) {
      requestEvents(after: $after) {
        cursor
      }
    }
  `,
] as const;
