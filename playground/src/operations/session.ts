// The operations behind the log-in box.

export const LOG_IN = /* GraphQL */ `
  mutation LogIn($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
      expiresAt
      user {
        username
        platformRole
      }
    }
  }
`;

export const COMPLETE_SIGN_IN = /* GraphQL */ `
  mutation CompleteSignIn($input: CompleteSignInInput!) {
    completeSignIn(input: $input) {
      accessToken
      refreshToken
      expiresAt
      user {
        username
        platformRole
      }
    }
  }
`;

export const RENEW = /* GraphQL */ `
  mutation RenewSession($input: RefreshSessionInput!) {
    refreshSession(input: $input) {
      accessToken
      refreshToken
      expiresAt
      user {
        username
        platformRole
      }
    }
  }
`;

export const LOG_OUT = /* GraphQL */ `
  mutation LogOut {
    logout {
      ended
    }
  }
`;

/** What the page fills into the ready operations after a log-in. */
export const MY_PROJECTS = /* GraphQL */ `
  query MyProjects {
    viewer {
      memberships(first: 100) {
        nodes {
          role
          group {
            id
          }
        }
      }
    }
    projects(first: 100) {
      nodes {
        id
        name
        group {
          id
        }
      }
    }
  }
`;
